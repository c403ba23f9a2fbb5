#include "boost/beast/http.hpp"
#include "net/ascii.h"
#include "net/server_core.h"

namespace kuma::net {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

// How long a connection that we close waits for its peer to notice, dropping what it still sends.
constexpr auto kLinger = std::chrono::seconds(5);
// An answer is written in pieces of this size, so that a slow reader's backlog is not copied.
constexpr size_t kWriteSize = 64 * 1024;
// Written a turn, then other connections get theirs.
constexpr size_t kQuantum = 1024 * 1024;

// HTTP/1.1 as a server speaks it, over one connection: one request at a time, in order; bytes of the next ones wait.
class Http1Server final : public Protocol {
 public:
  Http1Server(std::shared_ptr<ServerCore> core, ServerCore::PerLoop& loop, Connection& connection)
      : core_(std::move(core)), loop_(loop), connection_(connection), share_(&core_->inbound) {}

  void on_start() override { begin_request(); }
  void on_input(std::string_view bytes) override;
  void on_eof() override;
  bool produce() override;
  void on_deadline() override;
  void on_gone(const std::string& cause) override;
  void drain() override;

  // The answer to request number `request`; ignored when that one is not waiting any more.
  void respond(uint64_t request, HttpResponse response);

 private:
  enum class State { Idle, Head, Body, Handling, Writing, Closing };
  using Parser = http::request_parser<http::string_body>;
  using Serializer = http::response_serializer<http::string_body>;

  void begin_request();
  void parse();
  // False when the request has been answered with an error.
  bool check_head();
  bool check_body();
  void dispatch();
  HttpRequest take_request();
  // Answers a request that is not read to its end; the connection closes afterwards.
  void refuse(int status);
  void pause_input();
  void start_response(HttpResponse response);
  void finish_response();
  bool wants_continue() const;

  std::shared_ptr<ServerCore> core_;
  ServerCore::PerLoop& loop_;
  Connection& connection_;
  State state_ = State::Idle;
  std::unique_ptr<Parser> parser_;  // while a request is being read
  std::string unread_;
  InboundShare share_;
  uint64_t request_ = 0;
  bool head_ = false;        // the request is HEAD: no body in the answer
  bool keep_alive_ = true;
  bool peer_done_ = false;
  bool draining_ = false;
  bool input_paused_ = false;
  unsigned version_ = 11;
  std::unique_ptr<http::response<http::string_body>> response_;
  std::unique_ptr<Serializer> serializer_;
};

class Responder final : public HttpResponder::Impl {
 public:
  Responder(std::shared_ptr<LoopImpl> loop, std::weak_ptr<Connection> connection, uint64_t request)
      : loop_(std::move(loop)), connection_(std::move(connection)), request_(request) {}
  ~Responder() override {
    if (!sent_) {
      send(HttpResponse{.status = 500});
    }
  }

  void send(HttpResponse response) override {
    sent_ = true;
    if (loop_->is_current()) {
      deliver(connection_, request_, std::move(response));
      return;
    }
    loop_->post([weak = connection_, request = request_, shared = std::make_shared<HttpResponse>(std::move(response))] {
      deliver(weak, request, std::move(*shared));
    });
  }

 private:
  static void deliver(const std::weak_ptr<Connection>& weak, uint64_t request, HttpResponse response) {
    const auto connection = weak.lock();
    if (connection != nullptr && !connection->ended()) {
      static_cast<Http1Server*>(connection->protocol())->respond(request, std::move(response));
    }
  }

  std::shared_ptr<LoopImpl> loop_;
  std::weak_ptr<Connection> connection_;
  uint64_t request_;
  bool sent_ = false;
};

void Http1Server::begin_request() {
  state_ = State::Idle;
  if (parser_ == nullptr) {
    parser_ = std::make_unique<Parser>();
    parser_->header_limit(static_cast<uint32_t>(core_->options.limits.header_list_size_max));
    parser_->body_limit(boost::none);  // check_head() and check_body() know what to answer
  }
  connection_.set_deadline(core_->options.limits.idle_timeout);
}

void Http1Server::on_input(std::string_view bytes) {
  if (state_ == State::Closing) {
    return;
  }
  unread_.append(bytes);
  if (state_ == State::Handling || state_ == State::Writing) {
    return;
  }
  parse();
}

void Http1Server::parse() {
  std::string_view rest = unread_;
  while (state_ == State::Idle || state_ == State::Head || state_ == State::Body) {
    if (rest.empty()) {
      break;
    }
    if (state_ == State::Idle) {
      state_ = State::Head;
      connection_.set_deadline(core_->options.limits.header_timeout);
    }
    beast::error_code error;
    const size_t used = parser_->put(asio::const_buffer(rest.data(), rest.size()), error);
    rest.remove_prefix(used);
    if (error && error != http::error::need_more) {
      refuse(error == http::error::header_limit ? 431 : 400);
      break;
    }
    if (state_ == State::Head && parser_->is_header_done() && !check_head()) {
      break;
    }
    if (state_ == State::Body && !check_body()) {
      break;
    }
    if (parser_->is_done()) {
      dispatch();
    } else if (error == http::error::need_more && used == 0) {
      break;
    }
  }
  unread_.erase(0, unread_.size() - rest.size());
  if (unread_.empty()) {
    std::string().swap(unread_);
  }
}

bool Http1Server::check_head() {
  state_ = State::Body;
  parser_->eager(true);
  const auto& message = parser_->get();
  version_ = message.version();
  head_ = message.method() == http::verb::head;
  keep_alive_ = message.keep_alive();
  const auto length = parser_->content_length();
  if (length && *length > core_->options.limits.body_size_max) {
    refuse(413);
    return false;
  }
  if (!parser_->is_done() && wants_continue()) {
    connection_.wire().write("HTTP/1.1 100 Continue\r\n\r\n");
  }
  return true;
}

bool Http1Server::wants_continue() const {
  return version_ >= 11 && equals_ignoring_case(std::string_view(parser_->get()[http::field::expect]), "100-continue");
}

bool Http1Server::check_body() {
  const size_t size = parser_->get().body().size();
  if (size > core_->options.limits.body_size_max) {
    refuse(413);
    return false;
  }
  if (!share_.set(size)) {
    refuse(503);
    return false;
  }
  connection_.set_deadline(core_->options.limits.idle_timeout);  // each piece shows that the peer is alive
  return true;
}

HttpRequest Http1Server::take_request() {
  auto message = parser_->release();
  HttpRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  // A proxy's form, `GET http://host/path`, which servers must take too.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (request.target.starts_with(scheme)) {
      const size_t path = request.target.find('/', scheme.size());
      request.target = path == std::string::npos ? "/" : request.target.substr(path);
    }
  }
  for (const auto& field : message) {
    request.headers.add(lower_case(std::string_view(field.name_string())), std::string(field.value()));
  }
  request.body = std::move(message.body());
  request.peer = connection_.peer();
  return request;
}

void Http1Server::dispatch() {
  state_ = State::Handling;
  connection_.clear_deadline();
  pause_input();
  HttpRequest request = take_request();
  parser_.reset();
  HttpResponder responder(
      std::make_unique<Responder>(loop_.loop, connection_.weak_from_this(), request_));
  if (core_->http) {
    core_->http(std::move(request), std::move(responder));
  } else {
    responder.send(HttpResponse{.status = 404});
  }
}

void Http1Server::refuse(int status) {
  keep_alive_ = false;
  pause_input();
  HttpResponse response{.status = status};
  if (status == 413 && core_->body_too_large) {
    response = core_->body_too_large(take_request());
  }
  parser_.reset();
  state_ = State::Handling;
  respond(request_, std::move(response));
}

void Http1Server::pause_input() {
  if (!input_paused_) {
    input_paused_ = true;
    connection_.pause_input();
  }
}

void Http1Server::respond(uint64_t request, HttpResponse response) {
  if (state_ != State::Handling || request != request_) {
    return;
  }
  share_.clear();
  start_response(std::move(response));
  connection_.want_write();
}

void Http1Server::start_response(HttpResponse response) {
  state_ = State::Writing;
  keep_alive_ = keep_alive_ && !draining_ && !peer_done_;
  response_ = std::make_unique<http::response<http::string_body>>();
  auto& message = *response_;
  message.version(version_);
  message.result(static_cast<unsigned>(response.status));
  for (const auto& [name, value] : response.headers.fields()) {
    if (!equals_ignoring_case(name, "content-length") && !equals_ignoring_case(name, "connection") &&
        !equals_ignoring_case(name, "transfer-encoding") && !equals_ignoring_case(name, "date")) {
      message.insert(name, value);
    }
  }
  message.set(http::field::date, loop_.loop->http_date());
  if (response.status >= 200 && response.status != 204 && response.status != 304) {
    message.set(http::field::content_length, std::to_string(response.body.size()));
  } else {
    response.body.clear();
  }
  message.keep_alive(keep_alive_);
  if (!head_) {
    message.body() = std::move(response.body);
  }
  serializer_ = std::make_unique<Serializer>(message);
  serializer_->limit(kWriteSize);
  connection_.set_deadline(core_->options.limits.idle_timeout);
}

bool Http1Server::produce() {
  size_t written = 0;
  while (state_ == State::Writing && !connection_.wire().blocked()) {
    if (written >= kQuantum) {
      return true;
    }
    connection_.set_deadline(core_->options.limits.idle_timeout);
    if (serializer_->is_done()) {
      finish_response();
      continue;
    }
    beast::error_code error;
    serializer_->next(error, [&](beast::error_code&, const auto& buffers) {
      size_t size = 0;
      for (const asio::const_buffer buffer : beast::buffers_range_ref(buffers)) {
        connection_.wire().write({static_cast<const char*>(buffer.data()), buffer.size()});
        size += buffer.size();
      }
      serializer_->consume(size);
      written += size;
    });
    if (error) {
      connection_.fail(error.message());
      return false;
    }
  }
  return false;
}

void Http1Server::finish_response() {
  serializer_.reset();
  response_.reset();
  ++request_;
  if (!keep_alive_ || draining_ || peer_done_) {
    state_ = State::Closing;
    connection_.clear_deadline();
    connection_.close_when_flushed(peer_done_ || core_->stopping ? std::chrono::seconds(0) : kLinger);
    return;
  }
  begin_request();
  if (!unread_.empty()) {
    parse();
  }
  if (input_paused_ && state_ != State::Handling && state_ != State::Writing) {
    input_paused_ = false;
    connection_.resume_input();
  }
}

void Http1Server::on_eof() {
  peer_done_ = true;
  if (state_ == State::Handling || state_ == State::Writing) {
    return;  // it may have closed only its sending side and wait for the answer
  }
  connection_.fail("closed");
}

void Http1Server::on_deadline() {
  switch (state_) {
    case State::Idle:
      connection_.close_when_flushed(std::chrono::seconds(0));
      break;
    case State::Head:
    case State::Body:
      core_->log_peer(loop_, connection_, "the request did not come to its end in time");
      refuse(408);
      break;
    case State::Writing:
      core_->log_peer(loop_, connection_, "the peer does not read its answer");
      connection_.fail("the peer does not read");
      break;
    case State::Handling:
    case State::Closing:
      break;
  }
}

void Http1Server::drain() {
  draining_ = true;
  if (state_ == State::Idle || state_ == State::Head || state_ == State::Body) {
    state_ = State::Closing;
    connection_.close_when_flushed(std::chrono::seconds(0));
  }
}

void Http1Server::on_gone(const std::string&) {
  state_ = State::Closing;
  share_.clear();
}

}  // namespace

std::unique_ptr<Protocol> make_http1_server(std::shared_ptr<ServerCore> core, ServerCore::PerLoop& loop,
                                            Connection& connection) {
  return std::make_unique<Http1Server>(std::move(core), loop, connection);
}

}  // namespace kuma::net
