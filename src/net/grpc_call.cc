#include "net/grpc_call.h"

#include <array>

#include "base/text.h"
#include "fmt/format.h"
#include "net/ascii.h"

namespace kuma::net {
namespace {

constexpr std::chrono::nanoseconds kMessagePatience = std::chrono::minutes(2);
// Below, there is little to win; above, it takes the loop too long.
constexpr size_t kCompressedSizeMin = 512;
constexpr size_t kCompressedSizeMax = 64 * 1024;

bool is_reserved(std::string_view name) {
  static constexpr std::array<std::string_view, 10> kReserved = {
      "te",           "content-type", "grpc-encoding", "grpc-accept-encoding", "grpc-status",
      "grpc-message", "connection",   "host",          "transfer-encoding",    "content-length"};
  return name.starts_with(':') || std::ranges::find(kReserved, name) != kReserved.end();
}

}  // namespace

GrpcCall::GrpcCall(Connection* connection, std::shared_ptr<LoopImpl> loop, size_t message_size_max,
                   InboundBudget* budget)
    : loop_(std::move(loop)), decoder_(message_size_max), share_(budget) {
  if (connection != nullptr) {
    peer_ = connection->peer();
  }
}

const Peer& GrpcCall::peer() const { return peer_; }

void GrpcCall::observe(CallObserver* observer, CallObserver::Kind kind) {
  if (observer != nullptr) {
    counted_ = observer->on_started(path_, kind);
  }
}

void GrpcCall::send(GrpcMessage message) {
  if (told_closed_ || output_ended()) {
    return;
  }
  if (counted_ != nullptr) {
    counted_->on_sent();
  }
  if (!begun_) {
    begun_ = true;
    before_first_message();
  }
  undrained_ = true;
  if (may_compress_ && message.compressible && message.size() >= kCompressedSizeMin && message.size() <= kCompressedSizeMax) {
    for (const SharedBytes& piece : message.pieces) {
      message.head += *piece;
    }
    message.pieces.clear();
    if (const std::string packed = gzip(message.head); !packed.empty()) {
      queue(grpc_prefix(packed.size(), true) + packed);
      return;
    }
  }
  queue(grpc_prefix(message.size()) + message.head);
  for (auto& piece : message.pieces) {
    queue(std::move(piece));
  }
}

void GrpcCall::reset() {
  if (told_closed_ || forced_code_) {
    return;
  }
  forced_code_ = static_cast<int>(absl::StatusCode::kCancelled);
  forced_message_ = "the call was reset on this side";
  input_done_ = true;
  H2Stream::reset(NGHTTP2_CANCEL);
}

void GrpcCall::on_data(std::string_view bytes) {
  if (input_done_) {
    consume(bytes.size());
    return;
  }
  waited_ = {};
  withheld_ += bytes.size();
  deliver(bytes);
}

// The handler may do anything in its callback but destroy the call: pause, finish, reset.
void GrpcCall::deliver(std::string_view bytes) {
  if (paused_) {
    decoder_.hold(bytes);
    share_.set(decoder_.buffered());
    return;
  }
  delivering_ = true;
  GrpcStatus status = decoder_.feed(bytes, [this](std::string_view message) {
    if (handler_ != nullptr && !input_done_) {
      if (counted_ != nullptr) {
        counted_->on_received();
      }
      handler_->on_message(message);
    }
    return !paused_;
  });
  delivering_ = false;
  const bool affordable = share_.set(decoder_.buffered());
  if (!paused_ || input_done_) {
    consume(std::exchange(withheld_, 0));
  }
  if (status.code != 0 && !input_done_) {
    if (decoder_.oversized() && handler_ != nullptr) {
      const std::string told = handler_->describe_oversized(*decoder_.oversized());
      status.message += told.empty() ? "" : ": " + told;
    }
    input_done_ = true;
    on_bad_input(status);
  } else if (!affordable && !input_done_) {
    input_done_ = true;
    on_bad_input({static_cast<int>(absl::StatusCode::kResourceExhausted), "the server holds too many unfinished messages"});
  }
  tell_half_close();
}

void GrpcCall::resume_reading() {
  if (!paused_) {
    return;
  }
  paused_ = false;
  if (!delivering_) {
    resume_ = loop_->post_after(std::chrono::nanoseconds(0), [this] {
      if (h2_ != nullptr && !paused_ && !told_closed_) {
        h2_->connection().run_turn([this] { deliver({}); });
      }
    });
  }
}

void GrpcCall::on_end() {
  ended_ = true;
  tell_half_close();
}

void GrpcCall::tell_half_close() {
  if (!ended_ || told_half_close_ || paused_ || input_done_) {
    return;
  }
  told_half_close_ = true;
  if (!decoder_.between_messages()) {
    input_done_ = true;
    on_bad_input({static_cast<int>(absl::StatusCode::kInternal), "the stream ended within a message"});
  } else if (handler_ != nullptr) {
    handler_->on_half_close();
  }
}

void GrpcCall::on_drained() {
  if (std::exchange(undrained_, false) && handler_ != nullptr && !told_closed_) {
    handler_->on_drained();
  }
}

void GrpcCall::on_tick(std::chrono::nanoseconds interval) {
  if (paused_ || input_done_ || decoder_.between_messages()) {
    return;
  }
  waited_ += interval;
  if (waited_ >= kMessagePatience) {
    input_done_ = true;
    on_bad_input({static_cast<int>(absl::StatusCode::kDeadlineExceeded), "the rest of a message did not come in time"});
  }
}

void GrpcCall::tell_closed(GrpcStatus status) {
  if (!std::exchange(told_closed_, true)) {
    input_done_ = true;
    share_.clear();
    if (counted_ != nullptr) {
      counted_->on_ended(sent_code_.value_or(status.code));
    }
    if (handler_ != nullptr) {
      handler_->on_closed(std::move(status));
      handler_.reset();
    }
  }
}

Headers GrpcCall::to_metadata(const HeaderBlock& block) {
  Headers metadata;
  if (!block.authority.empty()) {
    metadata.add("host", block.authority);
  }
  for (const auto& [name, value] : block.fields.fields()) {
    if (!is_binary_metadata(name)) {
      metadata.add(name, value);
      continue;
    }
    // Several values may have been joined with commas on their way.
    std::string_view rest = value;
    while (true) {  // each round takes one value off
      const size_t comma = rest.find(',');
      metadata.add(name, base64_decode(rest.substr(0, comma)).value_or(std::string()));
      if (comma == std::string_view::npos) {
        break;
      }
      rest.remove_prefix(comma + 1);
    }
  }
  return metadata;
}

void append_metadata(H2::Fields& fields, const Headers& metadata) {
  for (const auto& [name, value] : metadata.fields()) {
    std::string lower = lower_case(name);
    if (is_reserved(lower)) {
      continue;
    }
    std::string text = value;
    if (is_binary_metadata(lower)) {
      text = base64_encode(value);
      while (text.ends_with('=')) {
        text.pop_back();
      }
    }
    fields.emplace_back(std::move(lower), std::move(text));
  }
}

size_t GrpcMessage::size() const {
  size_t total = head.size();
  for (const auto& piece : pieces) {
    total += piece->size();
  }
  return total;
}

}  // namespace kuma::net
