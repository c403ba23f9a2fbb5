#include "net/server_call.h"

#include "fmt/format.h"

namespace kuma::net {
namespace {

int code(absl::StatusCode status) { return static_cast<int>(status); }

// What a unary answer needs of its call, which may have ended long before a worker is ready.
struct UnaryReply {
  std::shared_ptr<LoopImpl> loop;
  GrpcStream* stream = nullptr;  // null when the call has ended; of the loop's thread
  std::atomic<bool> answered{false};

  static void answer(const std::shared_ptr<UnaryReply>& reply, GrpcStatus status, std::string message) {
    if (reply->answered.exchange(true)) {
      return;
    }
    auto deliver = [reply, status = std::move(status), body = std::move(message)]() mutable {
      if (reply->stream == nullptr) {
        return;
      }
      if (status.code == 0) {
        reply->stream->send({.head = std::move(body)});
      }
      reply->stream->finish(std::move(status));
    };
    if (reply->loop->is_current()) {
      deliver();
    } else {
      reply->loop->post(std::move(deliver));
    }
  }
};

// The last copy of a callback went without having been called: the client is told instead of left waiting.
struct UnaryDuty {
  std::shared_ptr<UnaryReply> reply;
  ~UnaryDuty() { UnaryReply::answer(reply, {code(absl::StatusCode::kInternal), "the call was dropped by its handler"}, {}); }
};

class UnaryServerHandler final : public GrpcStreamHandler {
 public:
  UnaryServerHandler(GrpcStream& stream, std::shared_ptr<LoopImpl> loop, const GrpcUnaryHandler& handler)
      : stream_(stream), handler_(handler), reply_(std::make_shared<UnaryReply>()) {
    reply_->loop = std::move(loop);
    reply_->stream = &stream;
  }

  void on_message(std::string_view message) override {
    if (++messages_ == 1) {
      message_ = message;
    }
  }

  void on_half_close() override {
    if (messages_ != 1) {
      stream_.finish({code(absl::StatusCode::kInternal),
                      fmt::format("a unary call carries one message, got {}", messages_)});
      return;
    }
    auto duty = std::make_shared<UnaryDuty>(reply_);
    handler_(stream_.metadata(), std::move(message_), [duty](GrpcStatus status, std::string message) {
      UnaryReply::answer(duty->reply, std::move(status), std::move(message));
    });
  }

  void on_closed(GrpcStatus) override { reply_->stream = nullptr; }

 private:
  GrpcStream& stream_;
  const GrpcUnaryHandler& handler_;
  std::shared_ptr<UnaryReply> reply_;
  std::string message_;
  size_t messages_ = 0;
};

}  // namespace

ServerCall::ServerCall(Connection& connection, std::shared_ptr<ServerCore> core, std::shared_ptr<LoopImpl> loop,
                       HeaderBlock block)
    : GrpcCall(&connection, std::move(loop), core->options.limits.grpc_message_size_max, &core->inbound),
      core_(std::move(core)) {
  path_ = block.path;
  metadata_ = to_metadata(block);
}

void ServerCall::begin() {
  if (core_->stopping) {
    finish({code(absl::StatusCode::kUnavailable), "the server is shutting down"});
    return;
  }
  const auto encoding = metadata_.get("grpc-encoding");
  if (!decoder_.set_encoding(encoding)) {
    finish({code(absl::StatusCode::kUnimplemented), fmt::format("grpc-encoding \"{}\" is not supported", encoding)});
    return;
  }
  if (metadata_.has("grpc-timeout")) {
    const auto timeout = parse_grpc_timeout(metadata_.get("grpc-timeout"));
    if (!timeout) {
      finish({code(absl::StatusCode::kInternal), fmt::format("malformed grpc-timeout \"{}\"", metadata_.get("grpc-timeout"))});
      return;
    }
    deadline_ = loop_->post_after(*timeout, [this] {
      end_with({code(absl::StatusCode::kDeadlineExceeded), "the call's deadline has passed"});
    });
  }
  if (const auto stream = core_->streams.find(path_); stream != core_->streams.end()) {
    observe(core_->options.calls, CallObserver::Kind::Stream);
    handler_ = stream->second(*this);
  } else if (const auto unary = core_->unaries.find(path_); unary != core_->unaries.end()) {
    observe(core_->options.calls, CallObserver::Kind::Unary);
    handler_ = std::make_unique<UnaryServerHandler>(*this, loop_, unary->second);
  } else {
    finish({code(absl::StatusCode::kUnimplemented), fmt::format("unknown method {}", path_)});
  }
}

void ServerCall::before_first_message() {
  headers_sent_ = true;
  H2::Fields fields = {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-accept-encoding", "identity,gzip"}};
  if (accepts_gzip(metadata_.get("grpc-accept-encoding"))) {
    // Each message says whether it is.
    may_compress_ = true;
    fields.emplace_back("grpc-encoding", "gzip");
  }
  if (h2_ != nullptr) {
    h2_->submit_response(*this, fields, false);
  }
}

void ServerCall::finish(GrpcStatus status) {
  if (finished_ || told_closed()) {
    return;
  }
  finished_ = true;
  input_done_ = true;
  sent_code_ = status.code;
  H2::Fields trailers = {{"grpc-status", std::to_string(status.code)}};
  if (!status.message.empty()) {
    trailers.emplace_back("grpc-message", percent_encode(status.message));
  }
  if (headers_sent_) {
    end_output(std::move(trailers));
    return;
  }
  trailers.insert(trailers.begin(), {{":status", "200"}, {"content-type", "application/grpc"}});
  if (status.code == code(absl::StatusCode::kUnimplemented)) {
    trailers.emplace_back("grpc-accept-encoding", "identity,gzip");
  }
  if (h2_ != nullptr) {
    h2_->submit_response(*this, trailers, true);
  }
  end_output({});
}

void ServerCall::end_with(GrpcStatus status) {
  if (finished_ || told_closed() || forced_code_) {
    return;
  }
  forced_code_ = status.code;
  forced_message_ = status.message;
  finish(std::move(status));
}

void ServerCall::on_bad_input(GrpcStatus status) { end_with(std::move(status)); }

void ServerCall::on_closed(uint32_t error, const std::string& cause) {
  deadline_.reset();
  if (forced_code_) {
    tell_closed({*forced_code_, forced_message_});
  } else if (!cause.empty()) {
    tell_closed({code(absl::StatusCode::kUnavailable), cause});
  } else if (error != NGHTTP2_NO_ERROR) {
    tell_closed({code(absl::StatusCode::kCancelled), fmt::format("the client reset the call: {}", http2_error_name(error))});
  } else if (finished_) {
    tell_closed({});
  } else {
    tell_closed({code(absl::StatusCode::kCancelled), "the client ended the call"});
  }
}

}  // namespace kuma::net
