#include <charconv>

#include "base/status.h"
#include "base/text.h"
#include "boost/asio/post.hpp"
#include "boost/beast/http.hpp"
#include "boost/url/parse.hpp"
#include "net/ascii.h"
#include "net/client.h"
#include "net/connection.h"
#include "net/dial.h"

namespace kuma::net {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

constexpr size_t kWriteSize = 64 * 1024;
constexpr size_t kQuantum = 1024 * 1024;
constexpr uint32_t kHeaderSizeMax = 256 * 1024;

struct Target {
  bool tls = false;
  std::string host;  // without brackets
  uint16_t port = 0;
  std::string host_header;
  std::string path;
};

absl::StatusOr<Target> parse_target(const std::string& url) {
  const auto parsed = boost::urls::parse_uri(url);
  if (parsed.has_error()) {
    return absl::InvalidArgumentError("not a URL: " + parsed.error().message());
  }
  Target target;
  if (parsed->scheme() != "http" && parsed->scheme() != "https") {
    return absl::InvalidArgumentError(fmt::format("unsupported protocol scheme \"{}\"", std::string(parsed->scheme())));
  }
  target.tls = parsed->scheme() == "https";
  target.host = std::string(parsed->host_address());
  if (target.host.empty()) {
    return absl::InvalidArgumentError("no host in the URL");
  }
  target.port = target.tls ? 443 : 80;
  if (parsed->has_port() && !parsed->port().empty()) {
    const std::string port(parsed->port());
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), target.port);
    if (error != std::errc() || end != port.data() + port.size() || target.port == 0) {
      return absl::InvalidArgumentError(fmt::format("invalid port \"{}\"", port));
    }
  }
  target.host_header = std::string(parsed->encoded_host_and_port());
  target.path = std::string(parsed->encoded_path());
  if (target.path.empty()) {
    target.path = "/";
  }
  if (parsed->has_query()) {
    target.path += "?" + std::string(parsed->encoded_query());
  }
  return target;
}

using CallDone = std::function<void(absl::StatusOr<HttpResponse>)>;

// The client's side of one HTTP/1.1 exchange.
class Http1Client final : public Protocol {
 public:
  Http1Client(Connection& connection, http::request<http::string_body> request, size_t response_size_max, CallDone done)
      : connection_(connection),
        response_size_max_(response_size_max),
        done_(std::move(done)),
        request_(std::move(request)),
        serializer_(request_) {
    serializer_.limit(kWriteSize);
    new_parser();
    connection_.read_after_send_error();
  }

  void on_start() override { started_ = true; }

  void on_input(std::string_view bytes) override {
    unread_.append(bytes);
    std::string_view rest = unread_;
    while (!rest.empty() && done_ != nullptr) {
      beast::error_code error;
      const size_t used = parser_->put(asio::const_buffer(rest.data(), rest.size()), error);
      rest.remove_prefix(used);
      if (error && error != http::error::need_more) {
        finish(absl::UnavailableError("malformed HTTP response: " + error.message()));
        return;
      }
      if (parser_->is_header_done() && !check_head()) {
        continue;
      }
      if (parser_->get().body().size() > response_size_max_) {
        finish(too_large());
      } else if (parser_->is_done()) {
        finish(take_response());
      } else if (error == http::error::need_more && used == 0) {
        break;
      }
    }
    unread_.erase(0, unread_.size() - rest.size());
  }

  void on_eof() override {
    beast::error_code error;
    if (parser_->got_some() && parser_->is_header_done()) {
      parser_->put_eof(error);
      if (!error && parser_->is_done()) {
        finish(take_response());
        return;
      }
    }
    finish(absl::UnavailableError("the server closed the connection before its answer was complete"));
  }

  bool produce() override {
    size_t written = 0;
    while (started_ && !serializer_.is_done() && !connection_.wire().blocked() &&
           connection_.wire().send_error().empty()) {
      if (written >= kQuantum) {
        return true;
      }
      beast::error_code error;
      serializer_.next(error, [&](beast::error_code&, const auto& buffers) {
        size_t size = 0;
        for (const asio::const_buffer buffer : beast::buffers_range_ref(buffers)) {
          connection_.wire().write({static_cast<const char*>(buffer.data()), buffer.size()});
          size += buffer.size();
        }
        serializer_.consume(size);
        written += size;
      });
      if (error) {
        finish(absl::InternalError(error.message()));
      }
    }
    return false;
  }

  void on_deadline() override { finish(absl::DeadlineExceededError("no answer in time")); }

  void on_gone(const std::string& cause) override {
    const bool tls = cause.starts_with("certificate verify failed");
    finish(tls ? absl::UnauthenticatedError(cause) : absl::UnavailableError(cause));
  }

 private:
  using Parser = http::response_parser<http::string_body>;

  void new_parser() {
    parser_.emplace();
    parser_->header_limit(kHeaderSizeMax);
    parser_->skip(request_.method() == http::verb::head);
    parser_->body_limit(boost::none);  // checked here, with an error that says so
    head_checked_ = false;
  }

  // False when the head was an interim one (1xx) and the real one is yet to come.
  bool check_head() {
    if (head_checked_) {
      return true;
    }
    const int status = parser_->get().result_int();
    if (status >= 100 && status < 200 && status != 101) {
      new_parser();
      return false;
    }
    head_checked_ = true;
    const auto length = parser_->content_length();
    if (length && *length > response_size_max_ && request_.method() != http::verb::head) {
      finish(too_large());
      return true;
    }
    parser_->eager(true);
    return true;
  }

  absl::Status too_large() const {
    return absl::ResourceExhaustedError(fmt::format("the answer is larger than {} bytes", response_size_max_));
  }

  HttpResponse take_response() {
    auto message = parser_->release();
    HttpResponse response;
    response.status = static_cast<int>(message.result_int());
    for (const auto& field : message) {
      response.headers.add(lower_case(std::string_view(field.name_string())), std::string(field.value()));
    }
    response.body = std::move(message.body());
    return response;
  }

  void finish(absl::StatusOr<HttpResponse> result) {
    if (const auto done = std::exchange(done_, nullptr)) {
      connection_.fail("closed");
      done(std::move(result));
    }
  }

  Connection& connection_;
  size_t response_size_max_;
  CallDone done_;
  http::request<http::string_body> request_;
  http::request_serializer<http::string_body> serializer_;
  std::optional<Parser> parser_;
  std::string unread_;
  bool head_checked_ = false;
  bool started_ = false;
};

http::request<http::string_body> make_request(const HttpCall& call, const Target& target) {
  http::request<http::string_body> request;
  request.version(11);
  request.method_string(call.method);
  request.target(target.path);
  request.set(http::field::host, target.host_header);
  for (const auto& [name, value] : call.headers.fields()) {
    if (equals_ignoring_case(name, "host")) {
      request.set(http::field::host, value);
    } else if (!equals_ignoring_case(name, "content-length") && !equals_ignoring_case(name, "connection")) {
      request.insert(name, value);
    }
  }
  request.set(http::field::connection, "close");
  if (!call.body.empty() || call.method == "POST" || call.method == "PUT" || call.method == "PATCH") {
    request.set(http::field::content_length, std::to_string(call.body.size()));
  }
  request.body() = call.body;
  return request;
}

// One call from looking up the host to the answer; kept by its loop until then.
class Call final : public std::enable_shared_from_this<Call> {
 public:
  Call(std::shared_ptr<LoopImpl> loop, HttpCall call, CallDone done)
      : loop_(std::move(loop)), call_(std::move(call)), done_(std::move(done)) {}

  void begin() {
    auto target = parse_target(call_.url);
    if (!target.ok()) {
      finish(target.status());
      return;
    }
    target_ = *std::move(target);
    if (target_.tls && call_.tls == nullptr) {
      auto context = make_tls_client({});
      if (!context.ok()) {
        finish(context.status());
        return;
      }
      call_.tls = *std::move(context);
    }
    timer_ = loop_->post_after(call_.timeout, [this] { finish(absl::DeadlineExceededError("no answer in time")); });
    dial_ = dial(loop_, target_.host, target_.port, std::min(call_.connect_timeout, call_.timeout),
                 [this](absl::StatusOr<asio::ip::tcp::socket> socket) { on_connected(std::move(socket)); });
  }

 private:
  void on_connected(absl::StatusOr<asio::ip::tcp::socket> socket) {
    if (!socket.ok()) {
      finish(socket.status());
      return;
    }
    connection_ = std::make_shared<Connection>(loop_, *std::move(socket));
    auto protocol = std::make_unique<Http1Client>(
        *connection_, make_request(call_, target_), call_.response_size_max,
        [weak = weak_from_this()](absl::StatusOr<HttpResponse> result) {
          if (const auto self = weak.lock()) {
            self->finish(std::move(result));
          }
        });
    connection_->start(std::move(protocol), target_.tls ? call_.tls : nullptr, target_.host, nullptr);
  }

  void finish(absl::StatusOr<HttpResponse> result) {
    const auto done = std::exchange(done_, nullptr);
    if (done == nullptr) {
      return;
    }
    const auto self = loop_->let_go(this);
    timer_.reset();
    dial_.reset();
    if (connection_ != nullptr) {
      connection_->fail("closed");
      connection_.reset();
    }
    if (!result.ok()) {
      result = annotate(result.status(), "{} {}", call_.method, call_.url);
    }
    done(std::move(result));
  }

  std::shared_ptr<LoopImpl> loop_;
  HttpCall call_;
  CallDone done_;
  Target target_;
  std::shared_ptr<void> timer_;
  std::shared_ptr<void> dial_;
  std::shared_ptr<Connection> connection_;
};

}  // namespace

void http_call(Loop& loop, HttpCall call, CallDone done) {
  auto shared = LoopsAccess::shared(loop);
  auto running = std::make_shared<Call>(shared, std::move(call), std::move(done));
  shared->post([shared = shared.get(), running] {
    shared->keep(running);
    running->begin();
  });
}

absl::StatusOr<HttpResponse> http_call(HttpCall call) {
  const auto loop = std::make_shared<LoopImpl>();
  absl::StatusOr<HttpResponse> result = absl::UnavailableError("the call did not end");
  http_call(*loop, std::move(call), [&result, &loop](absl::StatusOr<HttpResponse> ended) {
    result = std::move(ended);
    loop->post([&loop] { loop->stop(); });
  });
  loop->run();
  loop->abandon();
  return result;
}

}  // namespace kuma::net
