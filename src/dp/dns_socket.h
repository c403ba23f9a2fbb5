#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "dp/fd.h"

namespace kuma::dp {

// Sockets of the DNS server.

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// Nothing for what is no IP.
std::optional<SocketAddress> socket_address(std::string_view ip, uint16_t port);

// Listens on an address, or on all of both families for "". The error names the port.
absl::StatusOr<Fd> listen_udp(std::string_view ip, uint16_t port);
absl::StatusOr<Fd> listen_tcp(std::string_view ip, uint16_t port);
uint16_t local_port(const Fd& socket);

// A datagram, with whom it is from and at which of our addresses it came in.
struct Datagram {
  std::string data;
  SocketAddress peer;
  std::optional<in6_pktinfo> local_v6;
  std::optional<in_pktinfo> local_v4;
};
// Nothing when none is there.
std::optional<Datagram> receive(const Fd& socket);
// From the address that `to` came in at.
void send_answer(const Fd& socket, std::string_view data, const Datagram& to);

}  // namespace kuma::dp
