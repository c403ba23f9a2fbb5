#include "dp/dns_socket.h"

#include <arpa/inet.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/errno_text.h"
#include "base/status.h"
#include "dp/dns_message.h"
#include "dp/files.h"

namespace kuma::dp {
namespace {

constexpr int kBacklog = 64;

// Of both families where the host has IPv6, else of IPv4.
absl::StatusOr<Fd> bind_socket(int type, std::string_view ip, uint16_t port) {
  const bool any = ip.empty();
  int error = 0;
  for (const std::string_view address : {any ? std::string_view("::") : ip, std::string_view("0.0.0.0")}) {
    const auto place = socket_address(address, port);
    if (!place) {
      return absl::InvalidArgumentError(fmt::format("\"{}\" is no IP", address));
    }
    Fd fd(::socket(place->storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1, off = 0;
    if (fd.is_open() && place->storage.ss_family == AF_INET6) {
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    }
    if (fd.is_open() && place->storage.ss_family == AF_INET) {
      ::setsockopt(fd.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    }
    if (fd.is_open() && type == SOCK_STREAM) {
      ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    if (fd.is_open() && ::bind(fd.get(), place->get(), place->size) == 0) {
      return fd;
    }
    error = errno;
    if (!any || error == EADDRINUSE || error == EACCES) {
      break;
    }
  }
  return absl::ResourceExhaustedError(
      fmt::format("could not listen on {} port {}: {}", type == SOCK_STREAM ? "TCP" : "UDP", port, errno_text(error)));
}

// Room for either kind of packet information.
union Control {
  std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> bytes;
  cmsghdr align;
};

template <typename Info>
void add_control(msghdr& message, Control& control, int level, int type, const Info& info) {
  message.msg_control = control.bytes.data();
  message.msg_controllen = CMSG_SPACE(sizeof info);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(header), &info, sizeof info);
}

}  // namespace

std::optional<SocketAddress> socket_address(std::string_view ip, uint16_t port) {
  const std::string text(ip);
  SocketAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.size = sizeof *v4;
    return address;
  }
  if (::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.size = sizeof *v6;
    return address;
  }
  return std::nullopt;
}

absl::StatusOr<Fd> listen_udp(std::string_view ip, uint16_t port) { return bind_socket(SOCK_DGRAM, ip, port); }

absl::StatusOr<Fd> listen_tcp(std::string_view ip, uint16_t port) {
  KUMA_ASSIGN_OR_RETURN(Fd fd, bind_socket(SOCK_STREAM, ip, port));
  if (::listen(fd.get(), kBacklog) != 0) {
    return absl::ResourceExhaustedError(fmt::format("could not listen on TCP port {}: {}", port, errno_text(errno)));
  }
  return fd;
}

uint16_t local_port(const Fd& socket) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) {
    return 0;
  }
  return ntohs(address.storage.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port
                                                     : reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
}

std::optional<Datagram> receive(const Fd& socket) {
  Datagram datagram;
  datagram.data.resize(kDnsMessageBytesMax);
  Control control{};
  iovec part{.iov_base = datagram.data.data(), .iov_len = datagram.data.size()};
  msghdr message{};
  message.msg_name = &datagram.peer.storage;
  message.msg_namelen = sizeof datagram.peer.storage;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  const ssize_t size = ::recvmsg(socket.get(), &message, 0);
  if (size < 0) {
    return std::nullopt;
  }
  datagram.data.resize(static_cast<size_t>(size));
  datagram.peer.size = message.msg_namelen;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      std::memcpy(&datagram.local_v6.emplace(), CMSG_DATA(header), sizeof(in6_pktinfo));
    } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      std::memcpy(&datagram.local_v4.emplace(), CMSG_DATA(header), sizeof(in_pktinfo));
    }
  }
  return datagram;
}

void send_answer(const Fd& socket, std::string_view data, const Datagram& to) {
  Control control{};
  iovec part{.iov_base = const_cast<char*>(data.data()), .iov_len = data.size()};
  msghdr message{};
  message.msg_name = const_cast<sockaddr_storage*>(&to.peer.storage);
  message.msg_namelen = to.peer.size;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (to.local_v6) {
    in6_pktinfo from = *to.local_v6;
    from.ipi6_ifindex = 0;  // the route decides, only the address is given
    add_control(message, control, IPPROTO_IPV6, IPV6_PKTINFO, from);
  } else if (to.local_v4) {
    in_pktinfo from{};
    from.ipi_spec_dst = to.local_v4->ipi_addr;
    add_control(message, control, IPPROTO_IP, IP_PKTINFO, from);
  }
  [[maybe_unused]] const ssize_t sent = ::sendmsg(socket.get(), &message, MSG_NOSIGNAL);  // lost: the client asks again
}

}  // namespace kuma::dp
