#include "base/text.h"
#include "fmt/format.h"
#include "net/client.h"
#include "net/connection.h"
#include "net/dial.h"
#include "net/grpc_call.h"
#include "net/h2.h"

namespace kuma::net {
namespace {

int code(absl::StatusCode status) { return static_cast<int>(status); }

// What we take from a server before it must wait, a stream and in all.
constexpr int32_t kStreamWindow = 4 * 1024 * 1024;
constexpr int32_t kConnectionWindow = 16 * 1024 * 1024;

// A gRPC call as a client sees it.
class ClientCall final : public GrpcCall {
 public:
  using GrpcCall::observe;

  ClientCall(std::shared_ptr<LoopImpl> loop, size_t message_size_max, std::string path, Headers request)
      : GrpcCall(nullptr, std::move(loop), message_size_max, nullptr), request_(std::move(request)) {
    path_ = std::move(path);
  }

  void begin(const GrpcHandlerFactory& factory) { handler_ = factory(*this); }

  // Once the connection is there.
  int32_t submit(H2& h2, const std::string& authority, bool tls) {
    peer_ = h2.connection().peer();
    H2::Fields fields = {{":method", "POST"},          {":scheme", tls ? "https" : "http"},
                         {":path", path_},             {":authority", authority},
                         {"te", "trailers"},           {"content-type", "application/grpc"},
                         {"user-agent", "kuma-mesh"},  {"grpc-accept-encoding", "identity,gzip"}};
    append_metadata(fields, request_);
    if (const auto timeout = parse_grpc_timeout(request_.get("grpc-timeout"))) {
      deadline_ = loop_->post_after(*timeout, [this] {
        give_up({code(absl::StatusCode::kDeadlineExceeded), "the call's deadline has passed"});
      });
    }
    return h2.submit_request(*this, fields);
  }

  // Reset before the connection was there: not worth sending.
  bool given_up() const { return forced_code_.has_value(); }

  void finish(GrpcStatus) override {
    if (!told_closed()) {
      end_output({});
    }
  }

  void on_headers(HeaderBlock block) override {
    if (block.status >= 100 && block.status < 200) {
      return;
    }
    if (!answered_) {
      answered_ = true;
      metadata_ = to_metadata(block);
      const auto type = block.fields.get("content-type");
      if (block.status != 200 || !is_grpc_content_type(type)) {
        give_up({grpc_code_of_http(block.status), fmt::format("the server answered with HTTP status {} and content-type \"{}\"", block.status, type)});
        return;
      }
      if (!decoder_.set_encoding(block.fields.get("grpc-encoding"))) {
        give_up({code(absl::StatusCode::kInternal), fmt::format("the server compresses with \"{}\"", block.fields.get("grpc-encoding"))});
        return;
      }
    }
    if (block.fields.has("grpc-status")) {
      const std::string text(block.fields.get("grpc-status"));
      const bool number = !text.empty() && text.size() <= 2 && text.find_first_not_of("0123456789") == std::string::npos;
      status_ = GrpcStatus{number ? std::stoi(text) : code(absl::StatusCode::kUnknown),
                           percent_decode(block.fields.get("grpc-message"))};
    }
  }

  void on_end() override {
    if (!decoder_.between_messages() && !input_done_ && status_ && status_->code == 0) {
      status_ = {code(absl::StatusCode::kInternal), "the stream ended within a message"};
    }
    if (!output_ended()) {
      H2Stream::reset(NGHTTP2_NO_ERROR);  // nobody reads what we would still send
    }
  }

  void on_closed(uint32_t error, const std::string& cause) override {
    deadline_.reset();
    if (forced_code_) {
      tell_closed({*forced_code_, forced_message_});
    } else if (status_) {
      tell_closed(*status_);
    } else if (!cause.empty()) {
      tell_closed({code(absl::StatusCode::kUnavailable), cause});
    } else if (error != NGHTTP2_NO_ERROR) {
      tell_closed({grpc_code_of_reset(error), fmt::format("the server reset the call: {}", http2_error_name(error))});
    } else {
      tell_closed({code(absl::StatusCode::kInternal), "the server ended the call without a status"});
    }
  }

  void give_up(GrpcStatus status) {
    if (!forced_code_ && !told_closed()) {
      forced_code_ = status.code;
      forced_message_ = std::move(status.message);
      input_done_ = true;
      H2Stream::reset(NGHTTP2_CANCEL);
    }
  }

 protected:
  void on_bad_input(GrpcStatus status) override { give_up(std::move(status)); }

 private:
  Headers request_;
  std::optional<GrpcStatus> status_;
  std::shared_ptr<void> deadline_;
  bool answered_ = false;
};

class UnaryClientHandler final : public GrpcStreamHandler {
 public:
  explicit UnaryClientHandler(GrpcUnaryDone done) : done_(std::move(done)) {}

  void on_message(std::string_view message) override {
    message_ = message;
    ++messages_;
  }

  void on_closed(GrpcStatus status) override {
    if (status.code == 0 && messages_ != 1) {
      status = {code(absl::StatusCode::kInternal), fmt::format("the answer of a unary call has {} messages", messages_)};
    }
    const std::string message = status.code == 0 ? std::move(message_) : std::string();
    done_(std::move(status), message);
  }

 private:
  GrpcUnaryDone done_;
  std::string message_;
  size_t messages_ = 0;
};

class H2Client final : public H2 {
 public:
  H2Client(Connection& net_connection, const ChannelOptions& options, std::function<void(H2Client&)> on_up,
           std::function<void(const std::string&)> on_down)
      : H2(net_connection,
           Bounds{.header_list_size_max = 256 * 1024,
                  .keepalive_interval = options.keepalive_interval,
                  .keepalive_timeout = options.keepalive_timeout,
                  .stream_window = kStreamWindow,
                  .connection_window = kConnectionWindow},
           false),
        on_up_(std::move(on_up)),
        on_down_(std::move(on_down)) {}

  void on_start() override {
    H2::on_start();
    on_up_(*this);
  }

  void on_gone(const std::string& cause) override {
    const auto down = std::exchange(on_down_, nullptr);
    down(cause);
    H2::on_gone(cause);
  }

  void adopt(int32_t id, std::unique_ptr<ClientCall> call) { add_stream(id, std::move(call)); }
  bool going_away() const { return going_away_; }

 protected:
  void on_request(int32_t, HeaderBlock, bool) override {}  // servers cannot request; nghttp2 has refused it
  void on_goaway() override { going_away_ = true; }
  void on_misbehaviour(std::string_view) override {}  // the cause reaches the streams' owners

 private:
  std::function<void(H2Client&)> on_up_;
  std::function<void(const std::string&)> on_down_;
  bool going_away_ = false;
};

}  // namespace

struct GrpcChannel::Impl : std::enable_shared_from_this<GrpcChannel::Impl> {
  Impl(std::shared_ptr<LoopImpl> owner_loop, ChannelOptions channel_options)
      : loop(std::move(owner_loop)), options(std::move(channel_options)) {}

  void connect();
  void on_connected(absl::StatusOr<asio::ip::tcp::socket> socket);
  void open(CallObserver::Kind kind, std::string path, Headers metadata, const GrpcHandlerFactory& factory);
  void submit(std::unique_ptr<ClientCall> call);
  // Calls that never got onto the connection hear why; not within their owner's call to open_stream().
  void fail_later(std::unique_ptr<ClientCall> call);
  void go_down(const std::string& cause);
  void close();
  void run(std::function<void()> work);

  std::shared_ptr<LoopImpl> loop;
  ChannelOptions options;
  std::shared_ptr<void> dialling;
  std::shared_ptr<void> connect_deadline;
  std::shared_ptr<Connection> connection;
  H2Client* client = nullptr;  // while the connection is up
  std::vector<std::unique_ptr<ClientCall>> waiting;
  std::string down_cause;      // not empty: the channel has ended
};

void GrpcChannel::Impl::run(std::function<void()> work) {
  if (loop->is_current()) {
    work();
  } else {
    loop->post(std::move(work));
  }
}

void GrpcChannel::Impl::connect() {
  if (!down_cause.empty()) {
    return;
  }
  const std::weak_ptr<Impl> weak = weak_from_this();
  connect_deadline = loop->post_after(options.connect_timeout, [weak, this] {
    if (const auto self = weak.lock()) {
      go_down(fmt::format("connect to {}: no answer in time", join_host_port(options.host, options.port)));
    }
  });
  dialling = dial(loop, options.host, options.port, options.connect_timeout,
                  [weak](absl::StatusOr<asio::ip::tcp::socket> socket) {
                    if (const auto self = weak.lock()) {
                      self->on_connected(std::move(socket));
                    }
                  });
}

void GrpcChannel::Impl::on_connected(absl::StatusOr<asio::ip::tcp::socket> socket) {
  if (!socket.ok()) {
    go_down(std::string(socket.status().message()));
    return;
  }
  connection = std::make_shared<Connection>(loop, *std::move(socket));
  connection->offer_alpn("h2");
  const auto self = shared_from_this();
  auto protocol = std::make_unique<H2Client>(
      *connection, options,
      [self](H2Client& up) {
        self->client = &up;
        self->connect_deadline.reset();
        for (auto& call : std::exchange(self->waiting, {})) {
          self->submit(std::move(call));
        }
      },
      [self](const std::string& cause) {
        self->client = nullptr;
        self->go_down(self->options.tls != nullptr && cause.starts_with("certificate") ? "TLS: " + cause : cause);
      });
  connection->start(std::move(protocol), options.tls, options.host, nullptr);
}

void GrpcChannel::Impl::open(CallObserver::Kind kind, std::string path, Headers metadata, const GrpcHandlerFactory& factory) {
  auto call = std::make_unique<ClientCall>(loop, options.message_size_max, std::move(path), std::move(metadata));
  call->observe(options.calls, kind);
  call->begin(factory);
  if (!down_cause.empty() || (client != nullptr && client->going_away())) {
    fail_later(std::move(call));
  } else if (client != nullptr) {
    submit(std::move(call));
  } else {
    waiting.push_back(std::move(call));
  }
}

void GrpcChannel::Impl::submit(std::unique_ptr<ClientCall> call) {
  if (call->given_up()) {
    fail_later(std::move(call));
    return;
  }
  const int32_t id = call->submit(*client, join_host_port(options.host, options.port), options.tls != nullptr);
  if (id < 0) {
    fail_later(std::move(call));
    return;
  }
  client->adopt(id, std::move(call));
}

void GrpcChannel::Impl::fail_later(std::unique_ptr<ClientCall> call) {
  loop->post([self = shared_from_this(), shared = std::shared_ptr<ClientCall>(std::move(call))] {
    shared->on_closed(0, self->down_cause.empty() ? "the server is shutting down" : self->down_cause);
  });
}

void GrpcChannel::Impl::go_down(const std::string& cause) {
  if (!down_cause.empty()) {
    return;
  }
  const auto self = shared_from_this();
  down_cause = cause.empty() ? "the connection has ended" : cause;
  dialling.reset();
  connect_deadline.reset();
  if (const auto ending = std::exchange(connection, nullptr)) {
    if (ending->in_turn()) {
      ending->fail(down_cause);
    } else {
      ending->end(down_cause);
    }
  }
  for (auto& call : std::exchange(waiting, {})) {
    call->on_closed(0, down_cause);
  }
}

void GrpcChannel::Impl::close() { go_down("the channel was closed"); }

GrpcChannel::GrpcChannel(Loop& loop, ChannelOptions options)
    : impl_(std::make_shared<Impl>(LoopsAccess::shared(loop), std::move(options))) {
  impl_->run([impl = impl_] { impl->connect(); });
}

GrpcChannel::~GrpcChannel() {
  impl_->loop->run_and_wait([this] { impl_->close(); });
}

void GrpcChannel::open_stream(std::string path, Headers metadata, GrpcHandlerFactory factory) {
  impl_->run([impl = impl_, path = std::move(path), metadata = std::move(metadata), factory = std::move(factory)] {
    impl->open(CallObserver::Kind::Stream, path, metadata, factory);
  });
}

void GrpcChannel::unary(std::string path, Headers metadata, std::string message, GrpcUnaryDone done) {
  const auto factory = [message = std::move(message), done = std::move(done)](GrpcStream& stream) {
    stream.send({.head = message});
    stream.finish({});
    return std::make_unique<UnaryClientHandler>(done);
  };
  impl_->run([impl = impl_, path = std::move(path), metadata = std::move(metadata), factory = std::move(factory)] {
    impl->open(CallObserver::Kind::Unary, path, metadata, factory);
  });
}

void GrpcChannel::close() {
  impl_->run([impl = impl_] { impl->close(); });
}

}  // namespace kuma::net
