#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace kuma {

// Go's duration text (`1h2m3.5s`, `300ms`, `-1.5h`, `0`): what time.ParseDuration accepts. The error's message is that
// function's own (`time: missing unit in duration "3"`), since clients see it.
absl::StatusOr<std::chrono::nanoseconds> parse_go_duration(std::string_view text);
// The same form as Go prints it: `1h0m0s`, `1m39s`, `250ms`, `1.5µs`, `0s`.
std::string format_go_duration(std::chrono::nanoseconds duration);

// protobuf's JSON duration: `3600s`, `0.250s`: a fraction of 0, 3, 6 or 9 digits.
std::string format_proto_duration(std::chrono::nanoseconds duration);
absl::StatusOr<std::chrono::nanoseconds> parse_proto_duration(std::string_view text);

// RFC 3339 in UTC. `format_rfc3339` cuts trailing zeros of the fraction (Go's RFC3339Nano: 0 to 9 digits), as resource
// metadata shows times; `format_proto_timestamp` has 0, 3, 6 or 9 digits. Parsing takes any offset.
std::string format_rfc3339(WallTime time);
std::string format_proto_timestamp(WallTime time);
absl::StatusOr<WallTime> parse_rfc3339(std::string_view text);

std::string base64_encode(std::string_view bytes);      // standard alphabet, padded
std::string base64url_encode(std::string_view bytes);   // URL alphabet, no padding (JWT)
std::optional<std::string> base64_decode(std::string_view text);     // padding optional, both alphabets

std::string sha256(std::string_view bytes);              // 32 bytes
std::string sha256_hex(std::string_view bytes);          // 64 lower-case digits
std::string to_hex(std::string_view bytes);
uint64_t fnv1a64(std::string_view bytes);

// A random version 4 UUID from the system's generator.
std::string random_uuid();
// `count` random bytes from the system's generator.
std::string random_bytes(size_t count);

bool is_ip_address(std::string_view text);   // IPv4 or IPv6 literal, without brackets
bool is_ipv6_address(std::string_view text);
// `10.0.0.1:80`, `[fd00::1]:80`: brackets as Go's net.JoinHostPort puts them.
std::string join_host_port(std::string_view host, uint32_t port);

}  // namespace kuma
