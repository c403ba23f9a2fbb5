#include <array>

#include "fmt/format.h"
#include "net/ascii.h"
#include "net/server_call.h"
#include "net/server_core.h"

namespace kuma::net {
namespace {

constexpr std::chrono::nanoseconds kBodyPatience = std::chrono::minutes(2);
// What a client may still send after it has got an answer to a request that it has not finished. RFC 9113 lets us reset
// the stream at once, but clients (curl 7.88 among them) then don't show the answer.
constexpr size_t kDiscardMax = 64 * 1024 * 1024;
constexpr auto kDrainLinger = std::chrono::seconds(1);

class H2Server;

// A plain HTTP request over HTTP/2 and its answer.
class HttpExchange final : public H2Stream {
 public:
  HttpExchange(std::shared_ptr<ServerCore> core, std::shared_ptr<LoopImpl> loop, Connection& connection, HeaderBlock block)
      : core_(std::move(core)), loop_(std::move(loop)), connection_(connection), share_(&core_->inbound) {
    head_ = block.method == "HEAD";
    request_.method = std::move(block.method);
    request_.target = std::move(block.path);
    request_.peer = connection.peer();
    if (!block.authority.empty() && !block.fields.has("host")) {
      request_.headers.add("host", block.authority);
    }
    for (const auto& [name, value] : block.fields.fields()) {
      request_.headers.add(name, value);
    }
    too_large_ = block.too_large;
  }

  void begin();
  void respond(HttpResponse response);

  void on_headers(HeaderBlock) override {}  // trailers of a request: nobody wants them
  void on_data(std::string_view bytes) override;
  void on_end() override;
  void on_tick(std::chrono::nanoseconds interval) override;
  bool on_output_ended() override { return false; }
  void on_closed(uint32_t, const std::string&) override { share_.clear(); }

 private:
  void refuse(int status);

  std::shared_ptr<ServerCore> core_;
  std::shared_ptr<LoopImpl> loop_;
  Connection& connection_;
  InboundShare share_;
  HttpRequest request_;
  std::chrono::nanoseconds waited_{0};
  size_t discarded_ = 0;
  bool too_large_;
  bool head_;  // no body in the answer
  bool handled_ = false;
  bool answered_ = false;
};

class H2Responder final : public HttpResponder::Impl {
 public:
  H2Responder(std::shared_ptr<LoopImpl> loop, std::weak_ptr<Connection> connection, int32_t stream)
      : loop_(std::move(loop)), connection_(std::move(connection)), stream_(stream) {}
  ~H2Responder() override {
    if (!sent_) {
      send(HttpResponse{.status = 500});
    }
  }

  void send(HttpResponse response) override {
    sent_ = true;
    if (loop_->is_current()) {
      deliver(connection_, stream_, std::move(response));
      return;
    }
    loop_->post([weak = connection_, stream = stream_, shared = std::make_shared<HttpResponse>(std::move(response))] {
      deliver(weak, stream, std::move(*shared));
    });
  }

 private:
  static void deliver(const std::weak_ptr<Connection>& weak, int32_t id, HttpResponse response) {
    const auto connection = weak.lock();
    if (connection != nullptr && !connection->ended()) {
      if (H2Stream* stream = static_cast<H2*>(connection->protocol())->find_stream(id)) {
        static_cast<HttpExchange*>(stream)->respond(std::move(response));
      }
    }
  }

  std::shared_ptr<LoopImpl> loop_;
  std::weak_ptr<Connection> connection_;
  int32_t stream_;
  bool sent_ = false;
};

class H2Server final : public H2 {
 public:
  H2Server(std::shared_ptr<ServerCore> core, ServerCore::PerLoop& loop, Connection& connection)
      : H2(connection, bounds_of(core->options.limits), true), core_(std::move(core)), loop_(loop) {}

  void on_start() override {
    H2::on_start();
    if (core_->stopping) {
      drain();
    }
  }

  // First only a notice: requests that are on their way to us are still taken. A round trip later they have arrived.
  void drain() override {
    if (draining_) {
      return;
    }
    draining_ = true;
    linger_ = kDrainLinger;
    nghttp2_submit_shutdown_notice(session());
    nghttp2_submit_ping(session(), NGHTTP2_FLAG_NONE, nullptr);
    each_stream([](H2Stream& stream) {
      if (auto* call = dynamic_cast<ServerCall*>(&stream)) {
        call->end_with({static_cast<int>(absl::StatusCode::kUnavailable), "the server is shutting down"});
      }
    });
    connection_.want_write();
  }

 protected:
  void on_request(int32_t id, HeaderBlock block, bool) override;

  void on_ping_answered() override {
    if (draining_ && !goaway_sent_) {
      goaway_sent_ = true;
      nghttp2_submit_goaway(session(), NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session()),
                            NGHTTP2_NO_ERROR, nullptr, 0);
    }
  }

  void on_misbehaviour(std::string_view what) override {
    core_->log_peer(loop_, connection_, fmt::format("HTTP/2: {}", what));
  }

 private:
  static Bounds bounds_of(const ServerLimits& limits) {
    return Bounds{.header_list_size_max = limits.header_list_size_max,
                  .streams_max = limits.streams_per_connection_max,
                  .outbound_queue_max = limits.outbound_queue_max,
                  .keepalive_interval = limits.keepalive_interval,
                  .keepalive_timeout = limits.keepalive_timeout,
                  .idle_timeout = limits.idle_timeout};
  }

  std::shared_ptr<ServerCore> core_;
  ServerCore::PerLoop& loop_;
  bool draining_ = false;
  bool goaway_sent_ = false;
};

void H2Server::on_request(int32_t id, HeaderBlock block, bool) {
  if (outbound_bytes() > bounds_.outbound_queue_max) {
    refuse_stream(id, NGHTTP2_ENHANCE_YOUR_CALM);  // it asks for more while it doesn't take what it asked for
    return;
  }
  if (block.method == "POST" && !block.too_large && is_grpc_content_type(block.fields.get("content-type"))) {
    auto call = std::make_unique<ServerCall>(connection_, core_, loop_.loop, std::move(block));
    auto& reference = *call;
    add_stream(id, std::move(call));
    reference.begin();
    return;
  }
  auto exchange = std::make_unique<HttpExchange>(core_, loop_.loop, connection_, std::move(block));
  auto& reference = *exchange;
  add_stream(id, std::move(exchange));
  reference.begin();
}

void HttpExchange::begin() {
  if (too_large_) {
    refuse(431);
    return;
  }
  if (request_.target.empty()) {  // CONNECT
    refuse(405);
    return;
  }
  uint64_t length = 0;
  const auto text = request_.headers.get("content-length");
  for (const char digit : text.substr(0, 19)) {
    length = length * 10 + static_cast<uint64_t>(digit - '0');  // nghttp2 has checked that these are digits
  }
  if (length > core_->options.limits.body_size_max) {
    refuse(413);
    return;
  }
  if (equals_ignoring_case(request_.headers.get("expect"), "100-continue")) {
    h2_->submit_info(*this, 100);
  }
}

void HttpExchange::on_data(std::string_view bytes) {
  consume(bytes.size());
  if (answered_) {
    discarded_ += bytes.size();
    if (discarded_ > kDiscardMax) {
      reset(NGHTTP2_NO_ERROR);
    }
    return;
  }
  waited_ = {};
  if (request_.body.size() + bytes.size() > core_->options.limits.body_size_max) {
    refuse(413);
    return;
  }
  request_.body.append(bytes);
  if (!share_.set(request_.body.size())) {
    refuse(503);
  }
}

void HttpExchange::on_end() {
  if (answered_ || handled_) {
    return;
  }
  handled_ = true;
  HttpResponder responder(std::make_unique<H2Responder>(loop_, connection_.weak_from_this(), id_));
  if (core_->http) {
    core_->http(std::move(request_), std::move(responder));
  } else {
    responder.send(HttpResponse{.status = 404});
  }
}

void HttpExchange::on_tick(std::chrono::nanoseconds interval) {
  if (handled_) {
    return;
  }
  waited_ += interval;
  if (answered_ && waited_ >= interval * 2) {
    reset(NGHTTP2_NO_ERROR);
  } else if (!answered_ && waited_ >= kBodyPatience) {
    refuse(408);
  }
}

void HttpExchange::refuse(int status) {
  HttpResponse response{.status = status};
  if (status == 413 && core_->body_too_large) {
    response = core_->body_too_large(request_);
  }
  std::string().swap(request_.body);
  respond(std::move(response));
}

void HttpExchange::respond(HttpResponse response) {
  if (answered_ || h2_ == nullptr) {
    return;
  }
  answered_ = true;
  waited_ = {};
  share_.clear();
  static constexpr std::array<std::string_view, 7> kOurs = {"content-length", "date",       "connection", "transfer-encoding",
                                                            "keep-alive",     "upgrade", "proxy-connection"};
  H2::Fields fields = {{":status", std::to_string(response.status)}};
  for (const auto& [name, value] : response.headers.fields()) {
    std::string lower = lower_case(name);
    if (std::ranges::find(kOurs, lower) == kOurs.end()) {
      fields.emplace_back(std::move(lower), value);
    }
  }
  fields.emplace_back("date", loop_->http_date());
  if (response.status >= 200 && response.status != 204 && response.status != 304) {
    fields.emplace_back("content-length", std::to_string(response.body.size()));
  } else {
    response.body.clear();
  }
  const bool bodiless = response.body.empty() || head_;
  h2_->submit_response(*this, fields, bodiless);
  if (!bodiless) {
    queue(std::move(response.body));
  }
  end_output({});
}

}  // namespace

std::unique_ptr<Protocol> make_http2_server(std::shared_ptr<ServerCore> core, ServerCore::PerLoop& loop,
                                            Connection& connection) {
  return std::make_unique<H2Server>(std::move(core), loop, connection);
}

}  // namespace kuma::net
