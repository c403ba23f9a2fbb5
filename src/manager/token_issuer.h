#pragma once

#include <chrono>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "manager/pending_secrets.h"
#include "manager/secrets.h"
#include "manager/token_keys.h"
#include "security/tokens.h"

namespace kuma::manager {

// How long tokens are good for when nobody says: ten years.
inline constexpr std::chrono::hours kTokenLifetime{87600};

struct IssuerLimits {
  // How long to wait for a signing key that is just being made (right after the first start).
  std::chrono::nanoseconds key_wait_max = std::chrono::seconds(10);
};

// Issues tokens, signed by the newest key of their kind. NotFound `there is no signing key with KID 1. …` when there is
// none. Costs a millisecond of CPU and may wait for a key: call from a worker. Thread: any.
class TokenIssuer {
 public:
  // All outlive it.
  TokenIssuer(const Secrets& secrets, PendingSecrets& pending, const Clock& clock, IssuerLimits limits = {});

  absl::StatusOr<std::string> dataplane(const security::DataplaneClaims& claims, std::chrono::nanoseconds valid_for) const;
  absl::StatusOr<std::string> zone(const security::ZoneClaims& claims, std::chrono::nanoseconds valid_for) const;
  absl::StatusOr<std::string> zone_ingress(const std::string& zone, std::chrono::nanoseconds valid_for) const;
  absl::StatusOr<std::string> user(const security::UserClaims& claims, std::chrono::nanoseconds valid_for) const;

 private:
  security::TokenLife life_of(std::chrono::nanoseconds valid_for) const;
  absl::StatusOr<std::string> sign(const json::object& claims, const KeyRing& ring) const;

  const Secrets& secrets_;
  PendingSecrets& pending_;
  const Clock& clock_;
  const IssuerLimits limits_;
};

}  // namespace kuma::manager
