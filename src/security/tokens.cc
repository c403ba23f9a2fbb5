#include "security/tokens.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "base/status.h"
#include "base/text.h"

namespace kuma::security {
namespace {

constexpr std::chrono::minutes kValidBefore{5};
constexpr size_t kParsedKeysMax = 1000;  // one a mesh and kind

int64_t unix_seconds(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

json::object with_life(json::object claims, const TokenLife& life) {
  // Added as seconds: in nanoseconds, centuries would overflow.
  claims["exp"] = unix_seconds(life.now) + std::chrono::floor<std::chrono::seconds>(life.valid_for).count();
  claims["nbf"] = unix_seconds(life.now - kValidBefore);
  claims["iat"] = unix_seconds(life.now);
  claims["jti"] = life.id;
  return claims;
}

json::array to_array(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) {
    array.emplace_back(text);
  }
  return array;
}

absl::Status wrong_kind(std::string_view claim, std::string_view expected) {
  return absl::InvalidArgumentError(fmt::format("the claim {} is not {}", claim, expected));
}

absl::Status read_string(const json::object& claims, std::string_view name, std::string& out) {
  const json::value* value = find_claim(claims, name);
  if (value == nullptr || value->is_null()) {
    return absl::OkStatus();
  }
  if (!value->is_string()) {
    return wrong_kind(name, "a string");
  }
  out = value->get_string();
  return absl::OkStatus();
}

absl::Status read_list(const json::value* value, std::string_view name, std::vector<std::string>& out) {
  if (value == nullptr || value->is_null()) {
    return absl::OkStatus();
  }
  if (!value->is_array()) {
    return wrong_kind(name, "a list of strings");
  }
  for (const json::value& item : value->get_array()) {
    if (!item.is_string()) {
      return wrong_kind(name, "a list of strings");
    }
    out.emplace_back(item.get_string());
  }
  return absl::OkStatus();
}

// As Go prints a list of quoted texts: ["a" "b"].
std::string quoted_list(std::vector<std::string> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return fmt::format("[{}]", absl::StrJoin(values, " ", [](std::string* out, const std::string& value) {
                       out->append(to_json(json::string(value)));
                     }));
}

absl::Status check_tag(const std::string& tag, const std::vector<std::string>& allowed, const TagValues& tags) {
  const auto found = tags.find(tag);
  if (found == tags.end()) {
    return absl::UnauthenticatedError(
        fmt::format("dataplane has no tag {} required by the token", to_json(json::string(tag))));
  }
  for (const std::string& value : found->second) {
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
      return absl::UnauthenticatedError(
          fmt::format("dataplane contains tag {} with value {} which is not allowed with this token. Allowed values in "
                      "token are {}",
                      to_json(json::string(tag)), to_json(json::string(value)), quoted_list(allowed)));
    }
  }
  return absl::OkStatus();
}

// PEM keys are never HMAC secrets: whoever knows a public key must not be able to sign with it.
absl::Status verify_legacy(const Jwt& jwt, const std::string& secret) {
  if (!pem_label(secret).empty()) {
    return absl::UnauthenticatedError("signature is invalid");
  }
  return verify_hs256(jwt, secret);
}

absl::StatusOr<std::string> find_key(const TokenKeys& keys, const std::string& key_id) {
  absl::Status last = absl::NotFoundError(fmt::format("there is no signing key with KID {}", key_id));
  for (const auto& source : keys.sources) {
    absl::StatusOr<std::string> key = source(key_id);
    if (key.ok()) {
      return key;
    }
    last = key.status();
  }
  return last;
}

absl::StatusOr<std::string> key_of(const Jwt& jwt, const TokenKeys& keys) {
  if (!jwt.key_id && !keys.key_id_optional) {
    return absl::UnauthenticatedError("JWT token must have kid header");
  }
  if (jwt.algorithm == "RS256") {
    return find_key(keys, jwt.key_id.value_or("0"));
  }
  if (jwt.algorithm != "HS256") {
    return absl::UnauthenticatedError(
        fmt::format("unsupported token alg {}. Allowed algorithms are RS256 and HS256", jwt.algorithm));
  }
  if (!keys.legacy_secret) {
    return absl::UnauthenticatedError("legacy key are not supported");
  }
  return keys.legacy_secret();
}

std::string id_of(const json::object& claims) {
  const json::value* id = find_claim(claims, "jti");
  return id != nullptr && id->is_string() ? std::string(id->get_string()) : std::string();
}

}  // namespace

json::object encode_claims(const DataplaneClaims& claims, const TokenLife& life) {
  json::object tags;
  for (const auto& [tag, values] : claims.tags) {
    tags[tag] = to_array(values);
  }
  json::object out;
  out["Name"] = claims.name;
  out["Mesh"] = claims.mesh;
  out["Tags"] = std::move(tags);
  out["Type"] = claims.type;
  return with_life(std::move(out), life);
}

json::object encode_claims(const ZoneClaims& claims, const TokenLife& life) {
  json::object out;
  out["Zone"] = claims.zone;
  out["Scope"] = to_array(claims.scope);
  return with_life(std::move(out), life);
}

json::object encode_zone_ingress_claims(const std::string& zone, const TokenLife& life) {
  json::object out;
  out["Zone"] = zone;
  return with_life(std::move(out), life);
}

json::object encode_claims(const UserClaims& claims, const TokenLife& life) {
  json::object out;
  out["Name"] = claims.name;
  out["Groups"] = nullptr;
  if (!claims.groups.empty()) {
    out["Groups"] = to_array(claims.groups);
  }
  return with_life(std::move(out), life);
}

absl::StatusOr<DataplaneClaims> decode_dataplane_claims(const json::object& claims) {
  DataplaneClaims out;
  KUMA_RETURN_IF_ERROR(read_string(claims, "Name", out.name));
  KUMA_RETURN_IF_ERROR(read_string(claims, "Mesh", out.mesh));
  KUMA_RETURN_IF_ERROR(read_string(claims, "Type", out.type));
  const json::value* tags = find_claim(claims, "Tags");
  if (tags == nullptr || tags->is_null()) {
    return out;
  }
  if (!tags->is_object()) {
    return wrong_kind("Tags", "an object of lists of strings");
  }
  for (const auto& tag : tags->get_object()) {
    KUMA_RETURN_IF_ERROR(read_list(&tag.value(), "Tags", out.tags[std::string(tag.key())]));
  }
  return out;
}

absl::StatusOr<ZoneClaims> decode_zone_claims(const json::object& claims) {
  ZoneClaims out;
  KUMA_RETURN_IF_ERROR(read_string(claims, "Zone", out.zone));
  KUMA_RETURN_IF_ERROR(read_list(find_claim(claims, "Scope"), "Scope", out.scope));
  return out;
}

absl::StatusOr<UserClaims> decode_user_claims(const json::object& claims) {
  UserClaims out;
  KUMA_RETURN_IF_ERROR(read_string(claims, "Name", out.name));
  KUMA_RETURN_IF_ERROR(read_list(find_claim(claims, "Groups"), "Groups", out.groups));
  return out;
}

absl::Status check_dataplane_claims(const DataplaneClaims& claims, std::string_view mesh, std::string_view name,
                                    const TagValues& tags) {
  if (!claims.name.empty() && claims.name != name) {
    return absl::UnauthenticatedError(
        fmt::format("proxy name from requestor: {} is different than in token: {}", name, claims.name));
  }
  if (!claims.mesh.empty() && claims.mesh != mesh) {
    return absl::UnauthenticatedError(
        fmt::format("proxy mesh from requestor: {} is different than in token: {}", mesh, claims.mesh));
  }
  for (const auto& [tag, allowed] : claims.tags) {
    KUMA_RETURN_IF_ERROR(check_tag(tag, allowed, tags));
  }
  return absl::OkStatus();
}

absl::Status check_zone_claims(const ZoneClaims& claims, std::string_view scope, std::string_view zone) {
  if (std::find(claims.scope.begin(), claims.scope.end(), scope) == claims.scope.end()) {
    return absl::UnauthenticatedError(
        fmt::format("token cannot be used to authenticate zone entity ({} is out of token's scope: [{}])", scope,
                    absl::StrJoin(claims.scope, " ")));
  }
  if (!claims.zone.empty() && claims.zone != zone) {
    return absl::UnauthenticatedError(
        fmt::format("zone from requestor: {} is different than in token: {}", zone, claims.zone));
  }
  return absl::OkStatus();
}

bool is_revoked(std::string_view list, std::string_view id) {
  if (list.ends_with('\n')) {
    list.remove_suffix(1);
  }
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    if (list.substr(0, end) == id) {
      return true;
    }
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

TokenVerifier::TokenVerifier(const Clock& clock, bool in_memory_store, size_t remembered_max)
    : clock_(clock), in_memory_store_(in_memory_store), remembered_max_(remembered_max) {}

absl::StatusOr<TokenVerifier::Claims> TokenVerifier::verify(std::string_view token, const TokenKeys& keys) {
  const absl::StatusOr<Jwt> jwt = parse_jwt(token);
  if (!jwt.ok()) {
    return parse_error(jwt.status());
  }
  const absl::StatusOr<std::string> key = key_of(*jwt, keys);
  if (!key.ok()) {
    return absl::IsNotFound(key.status()) ? key.status() : parse_error(key.status());
  }
  // Hashing each makes the pair unambiguous; the algorithm is part of the token.
  const Digest digest = sha256(sha256(token) + sha256(*key));
  Claims claims = recall(digest);
  if (claims == nullptr) {
    if (absl::Status status = check_signature(*jwt, *key); !status.ok()) {
      return parse_error(status);
    }
    claims = std::make_shared<const json::object>(jwt->claims);
    remember(digest, claims);
  }
  if (absl::Status status = check_times(*claims, clock_.wall_now()); !status.ok()) {
    return parse_error(status);
  }
  if (keys.is_revoked && keys.is_revoked(id_of(*claims))) {
    return absl::UnauthenticatedError("token is revoked");
  }
  return claims;
}

absl::StatusOr<TokenVerifier::Claims> TokenVerifier::peek(std::string_view token) const {
  absl::StatusOr<Jwt> jwt = parse_jwt(token);
  if (!jwt.ok()) {
    return parse_error(jwt.status());
  }
  return std::make_shared<const json::object>(std::move(jwt->claims));
}

absl::Status TokenVerifier::check_signature(const Jwt& jwt, const std::string& key) {
  if (jwt.algorithm == "HS256") {
    return verify_legacy(jwt, key);
  }
  KUMA_ASSIGN_OR_RETURN(const PublicKey parsed, parse_key(key));
  return verify_rs256(jwt, parsed);
}

absl::StatusOr<PublicKey> TokenVerifier::parse_key(const std::string& text) {
  Digest digest = sha256(text);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = parsed_keys_.find(digest); found != parsed_keys_.end()) {
      return found->second;
    }
  }
  KUMA_ASSIGN_OR_RETURN(PublicKey key, PublicKey::parse(text));
  const std::lock_guard lock(mutex_);
  if (parsed_keys_.size() >= kParsedKeysMax) {
    parsed_keys_.clear();
  }
  parsed_keys_.emplace(std::move(digest), key);
  return key;
}

size_t TokenVerifier::signatures_checked() const {
  const std::lock_guard lock(mutex_);
  return signatures_checked_;
}

TokenVerifier::Claims TokenVerifier::recall(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  if (const auto found = newer_.find(digest); found != newer_.end()) {
    return found->second;
  }
  const auto found = older_.find(digest);
  if (found == older_.end()) {
    ++signatures_checked_;
    return nullptr;
  }
  Claims claims = found->second;
  keep(digest, claims);
  return claims;
}

void TokenVerifier::remember(Digest digest, Claims claims) {
  const std::lock_guard lock(mutex_);
  keep(std::move(digest), std::move(claims));
}

void TokenVerifier::keep(Digest digest, Claims claims) {
  if (remembered_max_ == 0) {
    return;
  }
  if (newer_.size() >= remembered_max_) {
    older_ = std::move(newer_);
    newer_.clear();
  }
  newer_.emplace(std::move(digest), std::move(claims));
}

absl::Status TokenVerifier::parse_error(const absl::Status& reason) const {
  static constexpr std::string_view kInMemory =
      ". kuma-cp runs with an in-memory database and its state isn't preserved between restarts. Keep in mind that an "
      "in-memory database cannot be used with multiple instances of the control plane";
  return absl::UnauthenticatedError(
      fmt::format("could not parse token{}: {}", in_memory_store_ ? kInMemory : "", message_of(reason)));
}

}  // namespace kuma::security
