#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "manager/secrets.h"
#include "manager/token_keys.h"
#include "model/resource.h"
#include "security/tokens.h"

namespace kuma::manager {

// A key given in the configuration, for tokens that are signed elsewhere.
struct StaticPublicKey {
  std::string key_id;
  std::string mesh;  // dataplane tokens: the mesh it is for; empty: all
  std::string pem;
};

struct TokenSources {
  bool use_secrets = true;
  std::vector<StaticPublicKey> public_keys{};
};

struct ValidatorOptions {
  TokenSources dataplane{};
  TokenSources zone{};
  TokenSources user{};
  bool zone_mode = false;  // zone tokens are verified with the public keys that the global sends
  std::string zone_name{};  // of this control plane
};

// Decides whether a token opens a door (spec/tokens-and-secrets.md §3), with keys and revocations as they are in the store
// right now. The error's message is what the bearer is told, after `authentication failed: `.
//
// Cheap for a token that has been seen before (microseconds), so it may be called for every request. Thread: any.
class TokenValidator {
 public:
  // All outlive it.
  TokenValidator(const Secrets& secrets, const store::Store& store, const Clock& clock, ValidatorOptions options);

  // Whether the token lets a proxy be this Dataplane.
  absl::Status check_dataplane(std::string_view token, const model::Resource& dataplane);
  // Whether it lets one be this ZoneIngress or ZoneEgress.
  absl::Status check_zone_proxy(std::string_view token, const model::Resource& proxy);
  // Whether it lets a control plane be this zone's: a zone token of scope `cp` that names the zone.
  absl::Status check_zone_control_plane(std::string_view token, std::string_view zone);
  // The user of a token; whoever has one is in the group mesh-system:authenticated besides.
  absl::StatusOr<security::UserClaims> user(std::string_view token);

 private:
  struct Kind {
    const TokenSources& sources;
    KeyRing verification;  // where the keys are
    KeyRing legacy;        // where the secret of HS256 tokens is; no prefix: not accepted
    model::ResourceKey revocations;
    bool key_id_optional = false;
  };
  security::TokenKeys keys_of(const Kind& kind) const;
  Kind zone_kind() const;
  Kind zone_ingress_kind() const;

  const Secrets& secrets_;
  const ValidatorOptions options_;
  const TokenSources secrets_only_;
  security::TokenVerifier verifier_;
};

// Every value of each tag of a dataplane: of all its inbounds and its gateway.
security::TagValues tag_values(const model::Resource& dataplane);

}  // namespace kuma::manager
