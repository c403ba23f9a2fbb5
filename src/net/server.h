#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "net/call_observer.h"
#include "net/grpc.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/tls.h"

namespace kuma::net {

using namespace std::chrono_literals;

// Every bound of a server, in one place.
struct ServerLimits {
  size_t body_size_max = 32 * 1024 * 1024;          // of an HTTP request; larger: 413
  size_t header_list_size_max = 64 * 1024;
  size_t grpc_message_size_max = 64 * 1024 * 1024;  // received; larger: RESOURCE_EXHAUSTED
  uint32_t streams_per_connection_max = 100;
  size_t connections_max = 20'000;                  // further ones are closed at once
  size_t handshakes_max = 1'000;                    // at once; the oldest is closed for a new one
  size_t inbound_bytes_max = 512 * 1024 * 1024;  // of bodies and messages not yet whole, all connections together; more: 503, RESOURCE_EXHAUSTED
  size_t outbound_queue_max = 64 * 1024 * 1024;     // bytes unsent on a connection above which we stop reading from it
  std::chrono::nanoseconds handshake_timeout = 10s;
  std::chrono::nanoseconds header_timeout = 10s;    // from first byte to the end of a request's headers
  std::chrono::nanoseconds idle_timeout = 120s;     // HTTP/1.1 keep-alive without a request
  std::chrono::nanoseconds keepalive_interval = 15s;  // HTTP/2 pings while streams are open …
  std::chrono::nanoseconds keepalive_timeout = 15s;   // … and how long the answer may take
};

struct ServerOptions {
  std::string name = {};                  // in logs and metrics: "dp-server"
  std::string address = "0.0.0.0";   // empty: all, IPv4 and IPv6
  uint16_t port = 0;                 // 0: a free one, see Server::port()
  std::string unix_path = {};        // non-empty: a Unix socket there instead of address and port; must not exist yet
  std::shared_ptr<const TlsContext> tls = nullptr;  // null: clear text
  ServerLimits limits = {};
  CallObserver* calls = nullptr;     // null: nobody counts gRPC calls
};

// One port that speaks TLS or clear text, HTTP/1.1 and HTTP/2 (by ALPN or by its preface), and gRPC over HTTP/2: a
// request with content-type application/grpc goes to the gRPC routes, all others to the HTTP handler.
//
// Life: set handlers, start(), stop(). All before start() from one thread.
class Server {
 public:
  Server(Loops& loops, ServerOptions options);
  ~Server();  // stop(0s)

  void handle_http(HttpHandler handler);
  // What is answered to an HTTP request whose body is too large (default: an empty 413).
  void on_body_too_large(std::function<HttpResponse(const HttpRequest&)> make_response);
  void handle_stream(std::string path, GrpcHandlerFactory factory);  // "/package.Service/Method"
  void handle_unary(std::string path, GrpcUnaryHandler handler);

  // Unavailable with address and cause when the port cannot be had.
  absl::Status start();
  uint16_t port() const;
  size_t connection_count() const;

  // Accepts no more, tells HTTP/2 peers (GOAWAY), ends gRPC streams with UNAVAILABLE, waits for answers under way at most
  // `grace`, then closes. After it returns no handler runs.
  void stop(std::chrono::nanoseconds grace);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kuma::net
