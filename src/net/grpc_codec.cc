#include "net/grpc_codec.h"

#include <nghttp2/nghttp2.h>
#include <zlib.h>

#include <algorithm>
#include <array>

#include "base/status.h"
#include "net/ascii.h"

namespace kuma::net {
namespace {

using namespace std::chrono_literals;

constexpr size_t kInflateStep = 64 * 1024;

int code(absl::StatusCode status) { return static_cast<int>(status); }

size_t length_of(std::string_view prefix) {
  size_t length = 0;
  for (size_t i = 1; i < kGrpcPrefixSize; ++i) {
    length = length << 8 | static_cast<unsigned char>(prefix[i]);
  }
  return length;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = lower_char(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

std::string grpc_prefix(size_t message_size, bool compressed) {
  std::string prefix(kGrpcPrefixSize, '\0');
  prefix[0] = compressed ? '\1' : '\0';
  for (size_t i = 0; i < 4; ++i) {
    prefix[kGrpcPrefixSize - 1 - i] = static_cast<char>(message_size >> (8 * i) & 0xff);
  }
  return prefix;
}

std::string percent_encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::optional<std::chrono::nanoseconds> parse_grpc_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) {
    return std::nullopt;
  }
  int64_t value = 0;
  for (const char digit : text.substr(0, text.size() - 1)) {
    if (digit < '0' || digit > '9') {
      return std::nullopt;
    }
    value = value * 10 + (digit - '0');
  }
  // Eight digits of hours do not fit into nanoseconds: a deadline beyond a year is none.
  constexpr std::chrono::nanoseconds kLongest = 24h * 365;
  const auto times = [value, kLongest](std::chrono::nanoseconds unit) {
    return value > kLongest / unit ? kLongest : unit * value;
  };
  switch (text.back()) {
    case 'H':
      return times(1h);
    case 'M':
      return times(1min);
    case 'S':
      return times(1s);
    case 'm':
      return times(1ms);
    case 'u':
      return times(1us);
    case 'n':
      return times(1ns);
    default:
      return std::nullopt;
  }
}

bool is_grpc_content_type(std::string_view content_type) {
  constexpr std::string_view kType = "application/grpc";
  if (content_type.size() < kType.size() || !equals_ignoring_case(content_type.substr(0, kType.size()), kType)) {
    return false;
  }
  content_type.remove_prefix(kType.size());
  return content_type.empty() || content_type.front() == '+' || content_type.front() == ';';
}

bool is_binary_metadata(std::string_view name) { return name.ends_with("-bin"); }

int grpc_code_of_http(int status) {
  switch (status) {
    case 400:
      return code(absl::StatusCode::kInternal);
    case 401:
      return code(absl::StatusCode::kUnauthenticated);
    case 403:
      return code(absl::StatusCode::kPermissionDenied);
    case 404:
      return code(absl::StatusCode::kUnimplemented);
    case 429:
    case 502:
    case 503:
    case 504:
      return code(absl::StatusCode::kUnavailable);
    default:
      return code(absl::StatusCode::kUnknown);
  }
}

int grpc_code_of_reset(uint32_t http2_error) {
  switch (http2_error) {
    case NGHTTP2_REFUSED_STREAM:
      return code(absl::StatusCode::kUnavailable);
    case NGHTTP2_CANCEL:
      return code(absl::StatusCode::kCancelled);
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return code(absl::StatusCode::kResourceExhausted);
    case NGHTTP2_INADEQUATE_SECURITY:
      return code(absl::StatusCode::kPermissionDenied);
    default:
      return code(absl::StatusCode::kInternal);
  }
}

std::string_view http2_error_name(uint32_t http2_error) { return nghttp2_http2_strerror(http2_error); }

absl::StatusOr<std::string> gunzip(std::string_view bytes, size_t size_max) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) {  // 16: a gzip header, not zlib's
    return absl::InternalError("cannot start to decompress");
  }
  struct End {
    z_stream* stream;
    ~End() { inflateEnd(stream); }
  } end{&stream};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string result;
  int state = Z_OK;
  while (state == Z_OK) {
    const size_t have = result.size();
    if (have > size_max) {
      return absl::ResourceExhaustedError(fmt::format("message larger than {} bytes when decompressed", size_max));
    }
    result.resize(have + std::min(kInflateStep, size_max + 1 - have));
    stream.next_out = reinterpret_cast<Bytef*>(result.data() + have);
    stream.avail_out = static_cast<uInt>(result.size() - have);
    state = inflate(&stream, Z_NO_FLUSH);
    result.resize(result.size() - stream.avail_out);
  }
  if (state != Z_STREAM_END) {
    return absl::InternalError("cannot decompress a message: damaged gzip data");
  }
  if (result.size() > size_max) {
    return absl::ResourceExhaustedError(fmt::format("message larger than {} bytes when decompressed", size_max));
  }
  return result;
}

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {  // 16: a gzip header
    return {};
  }
  std::string result(bytes.size(), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  const int state = deflate(&stream, Z_FINISH);
  result.resize(state == Z_STREAM_END ? stream.total_out : 0);
  deflateEnd(&stream);
  return result;
}

bool accepts_gzip(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    const size_t comma = std::min(accept_encoding.find(','), accept_encoding.size());
    std::string_view name = accept_encoding.substr(0, comma);
    name.remove_prefix(std::min(name.find_first_not_of(' '), name.size()));
    name = name.substr(0, name.find_last_not_of(' ') + 1);
    if (name == "gzip") {
      return true;
    }
    accept_encoding.remove_prefix(std::min(comma + 1, accept_encoding.size()));
  }
  return false;
}

namespace {

constexpr size_t kOversizedShown = 16 * 1024;

}  // namespace

bool GrpcDecoder::set_encoding(std::string_view encoding) {
  gzip_ = encoding == "gzip";
  return gzip_ || encoding.empty() || encoding == "identity";
}

GrpcStatus GrpcDecoder::check_prefix(std::string_view bytes) {
  const auto flag = static_cast<unsigned char>(bytes[0]);
  if (flag > 1) {
    return {code(absl::StatusCode::kInternal), fmt::format("malformed message: unknown flags {:#04x}", flag)};
  }
  if (flag == 1 && !gzip_) {
    return {code(absl::StatusCode::kInternal), "a message is compressed, but no grpc-encoding was agreed on"};
  }
  if (length_of(bytes) > message_size_max_) {
    oversized_ = flag == 0 ? bytes.substr(kGrpcPrefixSize, kOversizedShown) : "";
    return {code(absl::StatusCode::kResourceExhausted),
            fmt::format("received message larger than max ({} vs. {})", length_of(bytes), message_size_max_)};
  }
  return {};
}

size_t GrpcDecoder::missing() const {
  if (buffer_.size() < kGrpcPrefixSize) {
    return kGrpcPrefixSize - buffer_.size();
  }
  return kGrpcPrefixSize + length_of(buffer_) - buffer_.size();
}

GrpcStatus GrpcDecoder::deliver_message(std::string_view whole, const std::function<bool(std::string_view)>& deliver,
                                        bool& go_on) {
  const std::string_view message = whole.substr(kGrpcPrefixSize);
  if (whole[0] == 0) {
    go_on = deliver(message);
    return {};
  }
  const auto plain = gunzip(message, message_size_max_);
  if (!plain.ok()) {
    return {static_cast<int>(plain.status().code()), std::string(plain.status().message())};
  }
  go_on = deliver(*plain);
  return {};
}

GrpcStatus GrpcDecoder::feed(std::string_view bytes, const std::function<bool(std::string_view)>& deliver) {
  if (failed_) {
    return {};
  }
  std::string joined;
  if (!kept_.empty()) {
    joined = std::exchange(kept_, {});
    joined.append(bytes);
    bytes = joined;
  }
  bool go_on = true;
  GrpcStatus status;
  while (status.code == 0 && go_on) {
    if (buffer_.empty() && bytes.size() >= kGrpcPrefixSize) {
      status = check_prefix(bytes);
      const size_t whole = kGrpcPrefixSize + length_of(bytes);
      if (status.code == 0 && bytes.size() >= whole) {
        status = deliver_message(bytes.substr(0, whole), deliver, go_on);
        bytes.remove_prefix(whole);
        continue;
      }
    }
    if (bytes.empty() || status.code != 0) {
      break;
    }
    // missing() is at least 1 here: a message that is whole has been delivered, and one of length 0 is whole with its prefix.
    const size_t take = std::min(missing(), bytes.size());
    buffer_.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    if (buffer_.size() == kGrpcPrefixSize) {
      status = check_prefix(buffer_);
    }
    if (status.code == 0 && buffer_.size() >= kGrpcPrefixSize && missing() == 0) {
      const std::string whole = std::exchange(buffer_, {});
      status = deliver_message(whole, deliver, go_on);
    }
  }
  if (status.code != 0) {
    failed_ = true;
    std::string().swap(buffer_);
  } else {
    kept_ = std::string(bytes);
  }
  return status;
}

}  // namespace kuma::net
