#include "base/text.h"


#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <charconv>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "base/status.h"
#include "fmt/chrono.h"
#include "fmt/format.h"

namespace kuma {
namespace {

using std::chrono::nanoseconds;

struct DurationUnit {
  std::string_view name;
  uint64_t nanoseconds;
};

constexpr uint64_t kSecond = 1'000'000'000;
constexpr std::array kDurationUnits = {
    DurationUnit{"ns", 1},
    DurationUnit{"us", 1'000},
    DurationUnit{"µs", 1'000},   // U+00B5
    DurationUnit{"μs", 1'000},   // U+03BC
    DurationUnit{"ms", 1'000'000},
    DurationUnit{"s", kSecond},
    DurationUnit{"m", 60 * kSecond},
    DurationUnit{"h", 3600 * kSecond},
};

absl::Status duration_error(std::string_view what, std::string_view text) {
  return absl::InvalidArgumentError(fmt::format("time: {} \"{}\"", what, text));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The fraction of `nanos` within a second with as few of 3, 6 or 9 digits as hold it, or nothing for 0.
std::string fraction_3_6_9(uint64_t nanos) {
  if (nanos == 0) {
    return "";
  }
  if (nanos % 1'000'000 == 0) {
    return fmt::format(".{:03}", nanos / 1'000'000);
  }
  if (nanos % 1'000 == 0) {
    return fmt::format(".{:06}", nanos / 1'000);
  }
  return fmt::format(".{:09}", nanos);
}

std::string trimmed_fraction(uint64_t value, int digits) {
  if (value == 0) {
    return "";
  }
  std::string text = fmt::format(".{:0{}}", value, digits);
  while (text.back() == '0') {
    text.pop_back();
  }
  return text;
}

// Seconds since the epoch (rounded down) and the nanoseconds within the second.
std::pair<std::chrono::sys_seconds, uint64_t> split(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return {seconds, static_cast<uint64_t>((time - seconds).count())};
}

std::string format_seconds(std::chrono::sys_seconds time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

// Reads exactly `count` digits at `at` and moves it on.
bool read_digits(std::string_view text, size_t& at, size_t count, int& value) {
  if (at + count > text.size()) {
    return false;
  }
  value = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!is_digit(text[at + i])) {
      return false;
    }
    value = value * 10 + (text[at + i] - '0');
  }
  at += count;
  return true;
}

bool read_char(std::string_view text, size_t& at, char expected) {
  if (at >= text.size() || text[at] != expected) {
    return false;
  }
  ++at;
  return true;
}

}  // namespace

absl::StatusOr<nanoseconds> parse_go_duration(std::string_view whole) {
  std::string_view text = whole;
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text == "0") {
    return nanoseconds(0);
  }
  if (text.empty()) {
    return duration_error("invalid duration", whole);
  }
  constexpr uint64_t kMax = uint64_t{1} << 63;
  uint64_t total = 0;
  while (!text.empty()) {
    if (text[0] != '.' && !is_digit(text[0])) {
      return duration_error("invalid duration", whole);
    }
    size_t digits = 0;
    uint64_t value = 0;
    while (digits < text.size() && is_digit(text[digits])) {
      if (value > kMax / 10) {
        return duration_error("invalid duration", whole);
      }
      value = value * 10 + static_cast<uint64_t>(text[digits] - '0');
      if (value > kMax) {
        return duration_error("invalid duration", whole);
      }
      ++digits;
    }
    text.remove_prefix(digits);
    double fraction = 0;
    size_t fraction_digits = 0;
    if (!text.empty() && text[0] == '.') {
      text.remove_prefix(1);
      double scale = 1;
      while (fraction_digits < text.size() && is_digit(text[fraction_digits])) {
        scale /= 10;
        fraction += scale * (text[fraction_digits] - '0');
        ++fraction_digits;
      }
      text.remove_prefix(fraction_digits);
    }
    if (digits == 0 && fraction_digits == 0) {
      return duration_error("invalid duration", whole);
    }
    size_t unit_size = 0;
    while (unit_size < text.size() && text[unit_size] != '.' && !is_digit(text[unit_size])) {
      ++unit_size;
    }
    if (unit_size == 0) {
      return duration_error("missing unit in duration", whole);
    }
    const std::string_view unit_name = text.substr(0, unit_size);
    text.remove_prefix(unit_size);
    const DurationUnit* unit = nullptr;
    for (const DurationUnit& candidate : kDurationUnits) {
      if (candidate.name == unit_name) {
        unit = &candidate;
      }
    }
    if (unit == nullptr) {
      return absl::InvalidArgumentError(fmt::format("time: unknown unit \"{}\" in duration \"{}\"", unit_name, whole));
    }
    if (value > kMax / unit->nanoseconds) {
      return duration_error("invalid duration", whole);
    }
    const uint64_t part = value * unit->nanoseconds +
                          static_cast<uint64_t>(fraction * static_cast<double>(unit->nanoseconds) + 0.5);
    if (part > kMax || total > kMax - part) {
      return duration_error("invalid duration", whole);
    }
    total += part;
  }
  if (!negative && total == kMax) {
    return duration_error("invalid duration", whole);
  }
  return nanoseconds(negative ? static_cast<int64_t>(0 - total) : static_cast<int64_t>(total));
}

std::string format_go_duration(nanoseconds duration) {
  if (duration.count() == 0) {
    return "0s";
  }
  const bool negative = duration.count() < 0;
  const uint64_t total = negative ? 0 - static_cast<uint64_t>(duration.count()) : static_cast<uint64_t>(duration.count());
  std::string text = negative ? "-" : "";
  if (total < 1'000) {
    return text + fmt::format("{}ns", total);
  }
  if (total < 1'000'000) {
    return text + fmt::format("{}{}µs", total / 1'000, trimmed_fraction(total % 1'000, 3));
  }
  if (total < kSecond) {
    return text + fmt::format("{}{}ms", total / 1'000'000, trimmed_fraction(total % 1'000'000, 6));
  }
  const uint64_t seconds = total / kSecond;
  if (seconds >= 3600) {
    text += fmt::format("{}h", seconds / 3600);
  }
  if (seconds >= 60) {
    text += fmt::format("{}m", seconds / 60 % 60);
  }
  return text + fmt::format("{}{}s", seconds % 60, trimmed_fraction(total % kSecond, 9));
}

std::string format_proto_duration(nanoseconds duration) {
  const bool negative = duration.count() < 0;
  const uint64_t total = negative ? 0 - static_cast<uint64_t>(duration.count()) : static_cast<uint64_t>(duration.count());
  return fmt::format("{}{}{}s", negative ? "-" : "", total / kSecond, fraction_3_6_9(total % kSecond));
}

absl::StatusOr<nanoseconds> parse_proto_duration(std::string_view whole) {
  const auto error = [&] {
    return absl::InvalidArgumentError(
        fmt::format("invalid duration \"{}\": expected seconds with the unit s, such as \"1.5s\"", whole));
  };
  std::string_view text = whole;
  if (text.empty() || text.back() != 's') {
    return error();
  }
  text.remove_suffix(1);
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) {
    text.remove_prefix(1);
  }
  uint64_t seconds = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  // 315,576,000,000 s is protobuf's bound; int64 nanoseconds hold 292 years.
  if (failure != std::errc() || seconds > 9'223'372'035) {
    return error();
  }
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  uint64_t nanos = 0;
  if (!text.empty()) {
    if (text[0] != '.' || text.size() > 10 || text.size() < 2) {
      return error();
    }
    uint64_t scale = kSecond;
    for (const char c : text.substr(1)) {
      if (!is_digit(c)) {
        return error();
      }
      scale /= 10;
      nanos += scale * static_cast<uint64_t>(c - '0');
    }
  }
  const int64_t total = static_cast<int64_t>(seconds * kSecond + nanos);
  return nanoseconds(negative ? -total : total);
}

std::string format_rfc3339(WallTime time) {
  const auto [seconds, nanos] = split(time);
  return format_seconds(seconds) + trimmed_fraction(nanos, 9) + "Z";
}

std::string format_proto_timestamp(WallTime time) {
  const auto [seconds, nanos] = split(time);
  return format_seconds(seconds) + fraction_3_6_9(nanos) + "Z";
}

absl::StatusOr<WallTime> parse_rfc3339(std::string_view text) {
  const auto error = [&] {
    return absl::InvalidArgumentError(
        fmt::format("invalid time \"{}\": expected RFC 3339, such as 2026-01-02T15:04:05Z", text));
  };
  size_t at = 0;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const bool shape = read_digits(text, at, 4, year) && read_char(text, at, '-') && read_digits(text, at, 2, month) &&
                     read_char(text, at, '-') && read_digits(text, at, 2, day) && read_char(text, at, 'T') &&
                     read_digits(text, at, 2, hour) && read_char(text, at, ':') && read_digits(text, at, 2, minute) &&
                     read_char(text, at, ':') && read_digits(text, at, 2, second);
  if (!shape || hour > 23 || minute > 59 || second > 59) {
    return error();
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) {
    return error();
  }
  int64_t nanos = 0;
  if (read_char(text, at, '.')) {
    int64_t scale = static_cast<int64_t>(kSecond);
    const size_t start = at;
    while (at < text.size() && is_digit(text[at])) {
      scale /= 10;
      nanos += scale * (text[at] - '0');
      ++at;
    }
    if (at == start) {
      return error();
    }
  }
  std::chrono::minutes offset{0};
  if (!read_char(text, at, 'Z')) {
    if (at >= text.size() || (text[at] != '+' && text[at] != '-')) {
      return error();
    }
    const int sign = text[at++] == '+' ? 1 : -1;
    int offset_hours = 0, offset_minutes = 0;
    if (!read_digits(text, at, 2, offset_hours) || !read_char(text, at, ':') ||
        !read_digits(text, at, 2, offset_minutes)) {
      return error();
    }
    offset = sign * (std::chrono::hours(offset_hours) + std::chrono::minutes(offset_minutes));
  }
  if (at != text.size()) {
    return error();
  }
  // Nanoseconds since 1970 in 64 bits reach from 1678 to 2262; the zero time of Go (year 1) is before that.
  if (year < 1678 || year > 2261) {
    return WallTime{};
  }
  const auto base = std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                    std::chrono::seconds(second) - offset;
  return std::chrono::time_point_cast<nanoseconds>(base) + nanoseconds(nanos);
}

std::string base64_encode(std::string_view bytes) { return absl::Base64Escape(to_absl(bytes)); }

std::string base64url_encode(std::string_view bytes) {
  std::string text = absl::WebSafeBase64Escape(to_absl(bytes));
  while (!text.empty() && text.back() == '=') {
    text.pop_back();
  }
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  std::string out;
  if (absl::Base64Unescape(to_absl(text), &out) || absl::WebSafeBase64Unescape(to_absl(text), &out)) {
    return out;
  }
  return std::nullopt;
}

std::string sha256(std::string_view bytes) {
  std::string digest(32, '\0');
  EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr, EVP_sha256(), nullptr);
  return digest;
}

std::string sha256_hex(std::string_view bytes) { return to_hex(sha256(bytes)); }

std::string to_hex(std::string_view bytes) { return absl::BytesToHexString(to_absl(bytes)); }

uint64_t fnv1a64(std::string_view bytes) {
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : bytes) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return hash;
}

std::string random_bytes(size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1) {
    std::abort();  // no randomness: nothing that follows would be safe
  }
  return bytes;
}

std::string random_uuid() {
  std::string bytes = random_bytes(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  const std::string hex = to_hex(bytes);
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20));
}

bool is_ipv6_address(std::string_view text) {
  std::array<unsigned char, 16> buffer{};
  return inet_pton(AF_INET6, std::string(text).c_str(), buffer.data()) == 1;
}

bool is_ip_address(std::string_view text) {
  std::array<unsigned char, 16> buffer{};
  return inet_pton(AF_INET, std::string(text).c_str(), buffer.data()) == 1 || is_ipv6_address(text);
}

std::string join_host_port(std::string_view host, uint32_t port) {
  return host.find(':') == std::string_view::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

}  // namespace kuma
