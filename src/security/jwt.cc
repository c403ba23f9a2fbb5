#include "security/jwt.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <array>
#include <cmath>

#include "absl/strings/match.h"
#include "base/text.h"
#include "security/openssl.h"

namespace kuma::security {
namespace {

// Go's decoder of token segments: the URL alphabet, no padding, nothing else.
std::optional<std::string> decode_segment(std::string_view segment) {
  const bool strict = std::all_of(segment.begin(), segment.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  return strict ? base64_decode(segment) : std::nullopt;
}

absl::StatusOr<json::object> parse_segment(std::string_view segment, std::string_view what) {
  const std::optional<std::string> text = decode_segment(segment);
  if (!text) {
    return absl::InvalidArgumentError(fmt::format("the token's {} is not base64", what));
  }
  absl::StatusOr<json::value> value = parse_json(*text);
  if (!value.ok() || !value->is_object()) {
    return absl::InvalidArgumentError(fmt::format("the token's {} is not a JSON object", what));
  }
  return std::move(value->get_object());
}

std::optional<std::string> string_member(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) {
    return std::nullopt;
  }
  return std::string(value->get_string());
}

// Seconds since 1970; a fraction is cut off. An absent or null claim is nothing.
absl::StatusOr<std::optional<WallTime>> time_claim(const json::object& claims, std::string_view name) {
  static constexpr double kSecondsMax = 9e9;  // what nanoseconds in 64 bits can hold, about the year 2255
  const json::value* value = find_claim(claims, name);
  if (value == nullptr || value->is_null()) {
    return std::nullopt;
  }
  if (!value->is_number()) {
    return absl::InvalidArgumentError(fmt::format("the claim {} is not a number", name));
  }
  const double seconds = std::min(kSecondsMax, std::max(0.0, value->to_number<double>()));
  return WallTime(std::chrono::seconds(static_cast<int64_t>(std::floor(seconds))));
}

}  // namespace

absl::StatusOr<Jwt> parse_jwt(std::string_view token) {
  if (token.size() > kTokenLenMax) {
    return absl::InvalidArgumentError(
        fmt::format("the token is {} bytes long, more than the {} allowed", token.size(), kTokenLenMax));
  }
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return absl::InvalidArgumentError("token contains an invalid number of segments");
  }
  KUMA_ASSIGN_OR_RETURN(const json::object header, parse_segment(token.substr(0, first), "header"));
  Jwt jwt;
  KUMA_ASSIGN_OR_RETURN(jwt.claims, parse_segment(token.substr(first + 1, second - first - 1), "claims"));
  const std::optional<std::string> algorithm = string_member(header, "alg");
  if (!algorithm) {
    return absl::InvalidArgumentError("signing method (alg) is unspecified.");
  }
  const std::optional<std::string> signature = decode_segment(token.substr(second + 1));
  if (!signature) {
    return absl::InvalidArgumentError("the token's signature is not base64");
  }
  jwt.algorithm = *algorithm;
  jwt.key_id = string_member(header, "kid");
  jwt.signed_part = token.substr(0, second);
  jwt.signature = *signature;
  return jwt;
}

absl::Status verify_rs256(const Jwt& token, const PublicKey& key) {
  const openssl::DigestPtr context(EVP_MD_CTX_new());
  const bool good =
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.native()) == 1 &&
      EVP_DigestVerify(context.get(), openssl::bytes_of(token.signature), token.signature.size(),
                       openssl::bytes_of(token.signed_part), token.signed_part.size()) == 1;
  ERR_clear_error();
  return good ? absl::OkStatus() : absl::UnauthenticatedError("crypto/rsa: verification error");
}

absl::Status verify_hs256(const Jwt& token, std::string_view secret) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const bool made = !secret.empty() &&
                    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                         openssl::bytes_of(token.signed_part), token.signed_part.size(), digest.data(), &size) != nullptr;
  const bool good =
      made && token.signature.size() == size && CRYPTO_memcmp(token.signature.data(), digest.data(), size) == 0;
  return good ? absl::OkStatus() : absl::UnauthenticatedError("signature is invalid");
}

absl::Status check_times(const json::object& claims, WallTime now) {
  KUMA_ASSIGN_OR_RETURN(const auto expires, time_claim(claims, "exp"));
  KUMA_ASSIGN_OR_RETURN(const auto issued, time_claim(claims, "iat"));
  KUMA_ASSIGN_OR_RETURN(const auto valid_from, time_claim(claims, "nbf"));
  if (valid_from && now < *valid_from) {
    return absl::UnauthenticatedError("token is not valid yet");
  }
  if (issued && now < *issued) {
    return absl::UnauthenticatedError("token used before issued");
  }
  if (expires && now >= *expires) {
    return absl::UnauthenticatedError(fmt::format("token is expired by {}", format_go_duration(now - *expires)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> sign_rs256(const json::object& claims, std::string_view key_id, const PrivateKey& key) {
  if (!key.is_rsa()) {
    return absl::InvalidArgumentError("tokens are signed with RSA keys only");
  }
  json::object header;
  header["alg"] = "RS256";
  header["kid"] = key_id;
  header["typ"] = "JWT";
  std::string token = fmt::format("{}.{}", base64url_encode(to_json(header)), base64url_encode(to_json(claims)));

  const openssl::DigestPtr context(EVP_MD_CTX_new());
  std::string signature(static_cast<size_t>(EVP_PKEY_get_size(key.native())), '\0');
  size_t size = signature.size();
  if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.native()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     openssl::bytes_of(token), token.size()) != 1) {
    return openssl::internal_error("the token could not be signed");
  }
  signature.resize(size);
  token += '.';
  token += base64url_encode(signature);
  return token;
}

const json::value* find_claim(const json::object& claims, std::string_view name) {
  const json::value* found = nullptr;
  for (const auto& claim : claims) {
    if (absl::EqualsIgnoreCase(to_absl(std::string_view(claim.key().data(), claim.key().size())), to_absl(name))) {
      found = &claim.value();
    }
  }
  return found;
}

}  // namespace kuma::security
