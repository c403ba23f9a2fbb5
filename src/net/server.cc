#include "net/server.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <mutex>

#include "base/status.h"
#include "base/text.h"
#include "boost/asio/ip/v6_only.hpp"
#include "boost/asio/post.hpp"
#include "net/server_core.h"

namespace kuma::net {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

// Connections taken from the listener at once, then the loop's other work gets its turn.
constexpr int kAcceptsPerTurn = 64;
constexpr int kBacklog = 4096;
constexpr auto kPauseWithoutDescriptors = std::chrono::milliseconds(100);

}  // namespace

struct Server::Impl {
  std::shared_ptr<ServerCore> core;
  std::unique_ptr<tcp::acceptor> acceptor;  // on the first loop
  std::shared_ptr<void> accept_pause;
  uint16_t port = 0;
  bool started = false;

  Impl(Loops& loops, ServerOptions options) : core(std::make_shared<ServerCore>(std::move(options))) {
    core->loops.resize(loops.size());
    for (size_t i = 0; i < loops.size(); ++i) {
      core->loops[i].loop = LoopsAccess::shared(loops, i);
    }
  }

  absl::Status listen();
  absl::Status listen_unix();
  void wait_to_accept();
  void accept_some();
  void hand_over(int descriptor, int family);
  void stop(std::chrono::nanoseconds grace);
};

namespace {

// Runs on the connection's loop.
void adopt(const std::shared_ptr<ServerCore>& core, ServerCore::PerLoop& loop, tcp::socket socket) {
  if (core->stopping) {
    --core->connection_count;
    return;
  }
  const auto& limits = core->options.limits;
  // The oldest that still opens makes room: under a flood of silent clients it is the least likely to be one of ours.
  const size_t opening_max = std::max<size_t>(1, limits.handshakes_max / core->loops.size());
  while (loop.opening.size() >= opening_max) {
    loop.opening.front()->end("closed for a newer connection, too many are opening");
  }
  const auto connection = std::make_shared<Connection>(loop.loop, std::move(socket));
  loop.connections.insert(connection.get());
  connection->start(make_server_opening(core, loop, *connection), core->options.tls, "",
                    [core, &loop, raw = connection.get()] {
                      loop.connections.erase(raw);
                      std::lock_guard lock(core->stop_mutex);
                      --core->connection_count;
                      core->connection_gone.notify_all();
                    });
}

}  // namespace

// The acceptor is told that its socket is one of IPv4: all that it does with it is to wait.
absl::Status Server::Impl::listen_unix() {
  const std::string& path = core->options.unix_path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return absl::InvalidArgumentError(fmt::format("cannot listen on {}: the path is too long for a socket", path));
  }
  path.copy(address.sun_path, path.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  error_code error;
  acceptor = std::make_unique<tcp::acceptor>(core->loops.front().loop->io());
  if (descriptor < 0 || ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(descriptor, kBacklog) != 0) {
    error = error_code(errno, boost::system::system_category());
  } else {
    acceptor->assign(tcp::v4(), descriptor, error);
  }
  if (error) {
    if (descriptor >= 0) {
      ::close(descriptor);
    }
    acceptor.reset();
    return absl::UnavailableError(fmt::format("cannot listen on {}: {}", path, error.message()));
  }
  return absl::OkStatus();
}

absl::Status Server::Impl::listen() {
  const auto& options = core->options;
  if (!options.unix_path.empty()) {
    return listen_unix();
  }
  error_code error;
  const auto address = options.address.empty() ? asio::ip::address(asio::ip::address_v6::any())
                                               : asio::ip::make_address(options.address, error);
  const std::string where = join_host_port(options.address, options.port);
  if (error) {
    return absl::UnavailableError(fmt::format("cannot listen on {}: not an IP address", where));
  }
  auto& io = core->loops.front().loop->io();
  const auto open = [&](const tcp::endpoint& endpoint) {
    error = {};
    acceptor = std::make_unique<tcp::acceptor>(io);
    const auto step = [&error](auto&& call) {
      if (!error) {
        call();
      }
    };
    step([&] { acceptor->open(endpoint.protocol(), error); });
    step([&] { acceptor->set_option(tcp::acceptor::reuse_address(true), error); });
    if (options.address.empty() && endpoint.address().is_v6()) {
      step([&] { acceptor->set_option(asio::ip::v6_only(false), error); });
    }
    step([&] { acceptor->bind(endpoint, error); });
    step([&] { acceptor->listen(kBacklog, error); });
    step([&] { acceptor->non_blocking(true, error); });
    return static_cast<bool>(error);
  };
  bool failed = open({address, options.port});
  if (failed && options.address.empty() && error != boost::system::errc::address_in_use) {
    failed = open({asio::ip::address_v4::any(), options.port});  // a host without IPv6
  }
  if (failed) {
    acceptor.reset();
    return absl::UnavailableError(fmt::format("cannot listen on {}: {}", where, error.message()));
  }
  port = acceptor->local_endpoint(error).port();
  return absl::OkStatus();
}

void Server::Impl::wait_to_accept() {
  acceptor->async_wait(tcp::acceptor::wait_read, [this](error_code error) {
    if (!error && acceptor != nullptr) {
      accept_some();
    }
  });
}

void Server::Impl::accept_some() {
  const int family =
      core->options.unix_path.empty() ? acceptor->local_endpoint().protocol().family() : static_cast<int>(AF_INET);
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const int descriptor = ::accept4(acceptor->native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      hand_over(descriptor, family);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      // Trying again at once would only spin; connections that end meanwhile give descriptors back.
      core->log->error("cannot accept a connection: {}", error_code(errno, boost::system::system_category()).message());
      accept_pause = core->loops.front().loop->post_after(kPauseWithoutDescriptors, [this] { wait_to_accept(); });
      return;
    }
  }
  wait_to_accept();
}

void Server::Impl::hand_over(int descriptor, int family) {
  auto* target = &core->loops[core->accepted++ % core->loops.size()];
  tcp::socket socket(target->loop->io());
  error_code error;
  socket.assign(family == AF_INET6 ? tcp::v6() : tcp::v4(), descriptor, error);
  if (error) {
    ::close(descriptor);
    return;
  }
  if (core->connection_count >= core->options.limits.connections_max) {
    ++core->refused;
    return;
  }
  ++core->connection_count;
  asio::post(target->loop->io(), [core = core, target, moved = std::move(socket)]() mutable {
    adopt(core, *target, std::move(moved));
  });
}

void Server::Impl::stop(std::chrono::nanoseconds grace) {
  if (!started) {
    return;
  }
  started = false;
  auto& first = *core->loops.front().loop;
  assert(!first.is_current() && "a loop cannot wait for itself");
  first.run_and_wait([this] {
    accept_pause.reset();
    acceptor.reset();
  });
  core->stopping = true;
  for (auto& loop : core->loops) {
    loop.loop->run_and_wait([&loop] {
      const std::vector<Connection*> all(loop.connections.begin(), loop.connections.end());
      for (Connection* connection : all) {
        const auto keep = connection->shared_from_this();
        keep->run_turn([raw = keep.get()] { raw->protocol()->drain(); });
      }
    });
  }
  {
    std::unique_lock lock(core->stop_mutex);
    core->connection_gone.wait_for(lock, grace, [this] { return core->connection_count == 0; });
  }
  for (auto& loop : core->loops) {
    // Two rounds: sockets that were on their way to a loop at the first one have arrived at the second.
    for (int round = 0; round < 2; ++round) {
      loop.loop->run_and_wait([&loop] {
        while (!loop.connections.empty()) {
          (*loop.connections.begin())->end("the server stops");
        }
      });
    }
  }
}

Server::Server(Loops& loops, ServerOptions options) : impl_(std::make_unique<Impl>(loops, std::move(options))) {}

Server::~Server() { stop(0s); }

void Server::handle_http(HttpHandler handler) { impl_->core->http = std::move(handler); }

void Server::on_body_too_large(std::function<HttpResponse(const HttpRequest&)> make_response) {
  impl_->core->body_too_large = std::move(make_response);
}

void Server::handle_stream(std::string path, GrpcHandlerFactory factory) {
  impl_->core->streams[std::move(path)] = std::move(factory);
}

void Server::handle_unary(std::string path, GrpcUnaryHandler handler) {
  impl_->core->unaries[std::move(path)] = std::move(handler);
}

absl::Status Server::start() {
  KUMA_RETURN_IF_ERROR(impl_->listen());
  impl_->started = true;
  impl_->core->loops.front().loop->run_and_wait([this] { impl_->wait_to_accept(); });
  return absl::OkStatus();
}

uint16_t Server::port() const { return impl_->port; }

size_t Server::connection_count() const { return impl_->core->connection_count; }

void Server::stop(std::chrono::nanoseconds grace) { impl_->stop(grace); }

}  // namespace kuma::net
