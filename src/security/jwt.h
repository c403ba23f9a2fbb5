#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/json.h"
#include "security/key.h"

namespace kuma::security {

// Ours have up to 2 KiB; a token is part of every request of a proxy, so what may be sent is bounded.
inline constexpr size_t kTokenLenMax = 16 * 1024;

// A compact JSON Web Token taken apart. Nothing of it is believed before its signature has been verified.
struct Jwt {
  std::string algorithm;
  std::optional<std::string> key_id;  // `kid`
  json::object claims;
  std::string signed_part;  // header and payload as they were sent
  std::string signature;
};

// Error messages of this file are the reasons that clients of the reference see, such as `token contains an invalid number
// of segments`, `token is expired by 1.3s`, `crypto/rsa: verification error`.
absl::StatusOr<Jwt> parse_jwt(std::string_view token);

absl::Status verify_rs256(const Jwt& token, const PublicKey& key);
absl::Status verify_hs256(const Jwt& token, std::string_view secret);
// `exp`, `nbf` and `iat` where present, without leeway.
absl::Status check_times(const json::object& claims, WallTime now);

// A token with the header {"alg":"RS256","kid":…,"typ":"JWT"} and these claims in their order.
absl::StatusOr<std::string> sign_rs256(const json::object& claims, std::string_view key_id, const PrivateKey& key);

// A claim by its name, in any case as the reference reads them; null when it is absent. The last one counts.
const json::value* find_claim(const json::object& claims, std::string_view name);

}  // namespace kuma::security
