#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "net/grpc.h"

namespace kuma::net {

// gRPC's forms on the wire, as pure functions: what nobody needs a socket to test.

inline constexpr size_t kGrpcPrefixSize = 5;  // a flag and four bytes of length

// The prefix of a message of that size as it is sent.
std::string grpc_prefix(size_t message_size, bool compressed = false);

// `grpc-message`: everything but printable ASCII, and '%', as %XX. Decoding keeps what is no valid escape.
std::string percent_encode(std::string_view text);
std::string percent_decode(std::string_view text);

// `grpc-timeout`: at most eight digits and a unit of H, M, S, m, u, n. Nothing for anything else.
std::optional<std::chrono::nanoseconds> parse_grpc_timeout(std::string_view text);

// Whether a content-type asks for gRPC: `application/grpc`, with `+proto` or a parameter; `application/grpc-web` doesn't.
bool is_grpc_content_type(std::string_view content_type);

// Metadata whose name ends in `-bin` travels in base64.
bool is_binary_metadata(std::string_view name);

// What an HTTP status means when a server that isn't gRPC answers.
int grpc_code_of_http(int status);
// What the reset of a stream means to the other side.
int grpc_code_of_reset(uint32_t http2_error);
std::string_view http2_error_name(uint32_t http2_error);

// The contents of a gzip stream; ResourceExhausted beyond `size_max`, Internal for damaged data.
absl::StatusOr<std::string> gunzip(std::string_view bytes, size_t size_max);
// The reverse; empty when that fails or is no shorter.
std::string gzip(std::string_view bytes);

// Whether a `grpc-accept-encoding`, names with commas between them, has gzip.
bool accepts_gzip(std::string_view accept_encoding);

// Cuts a stream of bytes into messages. A length is checked before anything is kept, so that nobody makes us hold more
// than one message of `message_size_max`.
class GrpcDecoder {
 public:
  explicit GrpcDecoder(size_t message_size_max) : message_size_max_(message_size_max) {}

  // From the peer's `grpc-encoding`. False for what we can't decode.
  bool set_encoding(std::string_view encoding);

  // Takes the bytes that come next and calls `deliver` for each whole message, until it returns false; then the
  // remaining bytes are kept for a later feed({}). A message that lies within `bytes` is not copied. After an error the decoder
  // takes nothing more.
  GrpcStatus feed(std::string_view bytes, const std::function<bool(std::string_view)>& deliver);

  // How a message begins that was too large, as far as it has come; nothing unless feed() has failed for that.
  const std::optional<std::string>& oversized() const { return oversized_; }

  // Keeps bytes for a later feed() without looking at them.
  void hold(std::string_view bytes) { kept_.append(bytes); }

  // Bytes of the message that is not yet whole, and of those kept.
  size_t buffered() const { return buffer_.size() + kept_.size(); }
  // The stream may end here: no message is cut short.
  bool between_messages() const { return buffer_.empty() && kept_.empty(); }

 private:
  // The bytes still missing from the message that begins with `buffer_`; 0 when it is whole.
  size_t missing() const;
  // Of a message that begins with these bytes, at least a prefix.
  GrpcStatus check_prefix(std::string_view bytes);
  GrpcStatus deliver_message(std::string_view whole, const std::function<bool(std::string_view)>& deliver, bool& go_on);

  size_t message_size_max_;
  bool gzip_ = false;
  bool failed_ = false;
  std::string buffer_;
  std::string kept_;
  std::optional<std::string> oversized_;
};

}  // namespace kuma::net
