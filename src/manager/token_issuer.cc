#include "manager/token_issuer.h"

#include "base/status.h"
#include "base/text.h"
#include "manager/names.h"

namespace kuma::manager {
namespace {

absl::StatusOr<security::PrivateKey> parse_key(const SigningKey& key) {
  return security::pem_label(key.data).empty() ? security::PrivateKey::parse_pkcs1(key.data)
                                               : security::PrivateKey::parse_pem(key.data);
}

}  // namespace

TokenIssuer::TokenIssuer(const Secrets& secrets, PendingSecrets& pending, const Clock& clock, IssuerLimits limits)
    : secrets_(secrets), pending_(pending), clock_(clock), limits_(limits) {}

absl::StatusOr<std::string> TokenIssuer::dataplane(const security::DataplaneClaims& claims,
                                                   std::chrono::nanoseconds valid_for) const {
  return sign(security::encode_claims(claims, life_of(valid_for)), {claims.mesh, dataplane_key_prefix(claims.mesh)});
}

absl::StatusOr<std::string> TokenIssuer::zone(const security::ZoneClaims& claims,
                                              std::chrono::nanoseconds valid_for) const {
  return sign(security::encode_claims(claims, life_of(valid_for)), {"", std::string(kZoneKeyPrefix)});
}

absl::StatusOr<std::string> TokenIssuer::zone_ingress(const std::string& zone, std::chrono::nanoseconds valid_for) const {
  return sign(security::encode_zone_ingress_claims(zone, life_of(valid_for)), {"", std::string(kZoneIngressKeyPrefix)});
}

absl::StatusOr<std::string> TokenIssuer::user(const security::UserClaims& claims,
                                              std::chrono::nanoseconds valid_for) const {
  return sign(security::encode_claims(claims, life_of(valid_for)), {"", std::string(kUserKeyPrefix)});
}

security::TokenLife TokenIssuer::life_of(std::chrono::nanoseconds valid_for) const {
  return {.now = clock_.wall_now(), .valid_for = valid_for, .id = random_uuid()};
}

absl::StatusOr<std::string> TokenIssuer::sign(const json::object& claims, const KeyRing& ring) const {
  absl::StatusOr<SigningKey> key = newest_key(secrets_, ring);
  if (absl::IsNotFound(key.status()) && pending_.wait(ring.mesh, ring.prefix, limits_.key_wait_max)) {
    key = newest_key(secrets_, ring);
  }
  KUMA_RETURN_IF_ERROR(key.status());
  const auto parsed = parse_key(*key);
  if (!parsed.ok()) {
    return absl::InternalError(fmt::format("the signing key in secret \"{}\" can't be read: {}",
                                           ring.secret_of(key->key_id).name, message_of(parsed.status())));
  }
  return security::sign_rs256(claims, key->key_id, *parsed);
}

}  // namespace kuma::manager
