#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "net/connection.h"
#include "net/loop_impl.h"
#include "net/server.h"
#include "spdlog/spdlog.h"

namespace kuma::net {

// Bytes of requests and messages that are held until they are whole, over all connections of a server. Without a bound,
// a hundred streams a connection that each send nearly a whole message would fill the memory before anybody is asked
// who they are.
class InboundBudget {
 public:
  explicit InboundBudget(size_t bytes_max) : bytes_max_(bytes_max) {}
  // False, and nothing taken, when the budget is spent.
  bool take(size_t bytes);
  void give_back(size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  size_t used() const { return used_; }

 private:
  const size_t bytes_max_;
  std::atomic<size_t> used_{0};
};

// What a budget has granted to one request; gives it back at the end.
class InboundShare {
 public:
  explicit InboundShare(InboundBudget* budget) : budget_(budget) {}
  InboundShare(const InboundShare&) = delete;
  InboundShare& operator=(const InboundShare&) = delete;
  ~InboundShare() { clear(); }
  // The share becomes `bytes`; true without a budget.
  bool set(size_t bytes);
  void clear() { set(0); }

 private:
  InboundBudget* budget_;
  size_t bytes_ = 0;
};

// What the connections of one server share: options and handlers (immutable once started), counters, and for each loop
// the list of its connections, which only that loop touches.
struct ServerCore {
  explicit ServerCore(ServerOptions server_options);

  const ServerOptions options;
  HttpHandler http;
  std::function<HttpResponse(const HttpRequest&)> body_too_large;
  absl::flat_hash_map<std::string, GrpcHandlerFactory> streams;
  absl::flat_hash_map<std::string, GrpcUnaryHandler> unaries;

  InboundBudget inbound;
  std::atomic<size_t> connection_count{0};
  std::atomic<size_t> accepted{0};
  std::atomic<size_t> refused{0};  // over connections_max
  std::atomic<bool> stopping{false};
  std::mutex stop_mutex;  // guards nothing but the wait of Server::stop() for connection_count
  std::condition_variable connection_gone;
  std::shared_ptr<spdlog::logger> log;

  struct PerLoop {
    std::shared_ptr<LoopImpl> loop;
    absl::flat_hash_set<Connection*> connections;
    std::list<Connection*> opening;  // has not said yet what it speaks; oldest first
    MonotonicTime log_window{};
    int logged = 0;
  };
  std::vector<PerLoop> loops;

  // A line about a misbehaving peer, at most a few a second and loop: a flood of bad peers shall not flood the log.
  void log_peer(PerLoop& loop, const Connection& connection, std::string_view what);
};

// The protocols of a server's connection.
// Looks at the first bytes (and ALPN) and hands over to HTTP/1.1 or HTTP/2.
std::unique_ptr<Protocol> make_server_opening(std::shared_ptr<ServerCore> core, ServerCore::PerLoop& loop,
                                              Connection& connection);
std::unique_ptr<Protocol> make_http1_server(std::shared_ptr<ServerCore> core, ServerCore::PerLoop& loop,
                                            Connection& connection);
std::unique_ptr<Protocol> make_http2_server(std::shared_ptr<ServerCore> core, ServerCore::PerLoop& loop,
                                            Connection& connection);

}  // namespace kuma::net
