#include "net/server_core.h"

#include "base/log.h"
#include "fmt/format.h"

namespace kuma::net {
namespace {

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr int kPeerLinesPerSecond = 5;

class ServerOpening final : public Protocol {
 public:
  ServerOpening(std::shared_ptr<ServerCore> core, ServerCore::PerLoop& loop, Connection& connection)
      : core_(std::move(core)), loop_(loop), connection_(connection) {
    place_ = loop_.opening.insert(loop_.opening.end(), &connection_);
    connection_.set_deadline(core_->options.limits.handshake_timeout);
  }
  ~ServerOpening() override { leave(); }

  void on_start() override {
    if (connection_.wire().alpn() == "h2") {
      connection_.switch_to(make_http2_server(core_, loop_, connection_), {});
    }
  }

  void on_input(std::string_view bytes) override {
    unread_.append(bytes);
    if (unread_.starts_with(kHttp2Preface)) {
      connection_.switch_to(make_http2_server(core_, loop_, connection_), std::move(unread_));
    } else if (!kHttp2Preface.starts_with(unread_)) {
      connection_.switch_to(make_http1_server(core_, loop_, connection_), std::move(unread_));
    }
  }

  void on_eof() override { connection_.fail("closed"); }
  bool produce() override { return false; }
  void on_deadline() override { connection_.fail("the peer did not begin in time"); }

  void on_gone(const std::string& cause) override {
    leave();
    if (cause != "closed" && !core_->stopping) {
      core_->log_peer(loop_, connection_, cause);
    }
  }

  void drain() override { connection_.fail("closed"); }

 private:
  void leave() {
    if (place_ != loop_.opening.end()) {
      loop_.opening.erase(std::exchange(place_, loop_.opening.end()));
    }
  }

  std::shared_ptr<ServerCore> core_;
  ServerCore::PerLoop& loop_;
  Connection& connection_;
  std::list<Connection*>::iterator place_;
  std::string unread_;
};

}  // namespace

bool InboundBudget::take(size_t bytes) {
  if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes > bytes_max_) {
    give_back(bytes);
    return false;
  }
  return true;
}

bool InboundShare::set(size_t bytes) {
  if (budget_ == nullptr) {
    return true;
  }
  if (bytes > bytes_ && !budget_->take(bytes - bytes_)) {
    return false;
  }
  if (bytes < bytes_) {
    budget_->give_back(bytes_ - bytes);
  }
  bytes_ = bytes;
  return true;
}

ServerCore::ServerCore(ServerOptions server_options)
    : options(std::move(server_options)),
      inbound(options.limits.inbound_bytes_max),
      log(make_logger(options.name.empty() ? "net" : options.name)) {}

void ServerCore::log_peer(PerLoop& loop, const Connection& connection, std::string_view what) {
  const auto now = system_clock().monotonic_now();
  if (now - loop.log_window > std::chrono::seconds(1)) {
    loop.log_window = now;
    loop.logged = 0;
  }
  if (++loop.logged <= kPeerLinesPerSecond) {
    log->info("connection from {}:{}: {}", connection.peer().address, connection.peer().port, what);
  }
}

std::unique_ptr<Protocol> make_server_opening(std::shared_ptr<ServerCore> core, ServerCore::PerLoop& loop,
                                              Connection& connection) {
  return std::make_unique<ServerOpening>(std::move(core), loop, connection);
}

}  // namespace kuma::net
