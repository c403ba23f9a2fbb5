#include "manager/token_validator.h"

#include <algorithm>

#include "base/status.h"
#include "manager/names.h"
#include "mesh/v1alpha1/dataplane.pb.h"

namespace kuma::manager {
namespace {

using Source = std::function<absl::StatusOr<std::string>(const std::string&)>;

// A mesh's own static keys come before those for all meshes.
Source static_keys(const std::vector<StaticPublicKey>& keys, std::string mesh) {
  return [&keys, mesh = std::move(mesh)](const std::string& key_id) -> absl::StatusOr<std::string> {
    const StaticPublicKey* found = nullptr;
    for (const StaticPublicKey& key : keys) {
      if (key.key_id == key_id && (key.mesh == mesh || (key.mesh.empty() && found == nullptr))) {
        found = &key;
      }
    }
    if (found == nullptr) {
      return absl::NotFoundError(fmt::format("there is no signing key with KID {}", key_id));
    }
    return found->pem;
  };
}

void add_tags(const google::protobuf::Map<std::string, std::string>& tags, security::TagValues& values) {
  for (const auto& [tag, value] : tags) {
    std::vector<std::string>& known = values[tag];
    if (std::find(known.begin(), known.end(), value) == known.end()) {
      known.push_back(value);
    }
  }
}

}  // namespace

TokenValidator::TokenValidator(const Secrets& secrets, const store::Store& store, const Clock& clock,
                               ValidatorOptions options)
    : secrets_(secrets), options_(std::move(options)), secrets_only_(), verifier_(clock, store.kind() == "memory") {}

absl::Status TokenValidator::check_dataplane(std::string_view token, const model::Resource& dataplane) {
  const std::string& mesh = dataplane.meta.mesh;
  const KeyRing ring{mesh, dataplane_key_prefix(mesh)};
  const Kind kind{.sources = options_.dataplane,
                  .verification = ring,
                  .legacy = ring,
                  .revocations = {mesh, dataplane_revocations(mesh)},
                  .key_id_optional = true};
  KUMA_ASSIGN_OR_RETURN(const auto claims, verifier_.verify(token, keys_of(kind)));
  KUMA_ASSIGN_OR_RETURN(const auto decoded, security::decode_dataplane_claims(*claims));
  return security::check_dataplane_claims(decoded, mesh, dataplane.meta.name, tag_values(dataplane));
}

absl::Status TokenValidator::check_zone_proxy(std::string_view token, const model::Resource& proxy) {
  static constexpr std::string_view kIngress = "ingress";
  KUMA_ASSIGN_OR_RETURN(const auto unverified, verifier_.peek(token));
  KUMA_ASSIGN_OR_RETURN(const auto kind_of, security::decode_zone_claims(*unverified));
  const bool legacy = kind_of.scope.empty();  // the old tokens of zone ingresses have none
  KUMA_ASSIGN_OR_RETURN(const auto claims,
                        verifier_.verify(token, keys_of(legacy ? zone_ingress_kind() : zone_kind())));
  KUMA_ASSIGN_OR_RETURN(auto decoded, security::decode_zone_claims(*claims));
  if (legacy) {
    decoded.scope = {std::string(kIngress)};
  }
  return security::check_zone_claims(decoded, proxy.type->name == "ZoneIngress" ? kIngress : "egress",
                                     options_.zone_name);
}

absl::Status TokenValidator::check_zone_control_plane(std::string_view token, std::string_view zone) {
  if (token.empty()) {
    return absl::UnauthenticatedError("there is no token; give the zone control plane one of scope \"cp\" (KUMA_MULTIZONE_ZONE_KDS_AUTH_CP_TOKEN_PATH)");
  }
  KUMA_ASSIGN_OR_RETURN(const auto claims, verifier_.verify(token, keys_of(zone_kind())));
  KUMA_ASSIGN_OR_RETURN(const auto decoded, security::decode_zone_claims(*claims));
  if (decoded.zone.empty()) {
    return absl::UnauthenticatedError("the token names no zone, so it could be anybody's");
  }
  return security::check_zone_claims(decoded, "cp", zone);
}

absl::StatusOr<security::UserClaims> TokenValidator::user(std::string_view token) {
  const KeyRing ring{"", std::string(kUserKeyPrefix)};
  const Kind kind{.sources = options_.user,
                  .verification = ring,
                  .legacy = ring,
                  .revocations = {"", std::string(kUserRevocations)}};
  KUMA_ASSIGN_OR_RETURN(const auto claims, verifier_.verify(token, keys_of(kind)));
  return security::decode_user_claims(*claims);
}

security::TokenKeys TokenValidator::keys_of(const Kind& kind) const {
  security::TokenKeys keys;
  keys.key_id_optional = kind.key_id_optional;
  if (!kind.sources.public_keys.empty()) {
    keys.sources.push_back(static_keys(kind.sources.public_keys, kind.verification.mesh));
  }
  if (kind.sources.use_secrets) {
    keys.sources.push_back([this, ring = kind.verification](const std::string& id) { return find_key(secrets_, ring, id); });
    if (!kind.legacy.prefix.empty()) {
      keys.legacy_secret = [this, ring = kind.legacy] { return find_key(secrets_, ring, "0"); };
    }
  }
  keys.is_revoked = [this, list = kind.revocations](std::string_view id) {
    const auto revoked = secrets_.get(list);
    return revoked.ok() && security::is_revoked(*revoked, id);
  };
  return keys;
}

TokenValidator::Kind TokenValidator::zone_kind() const {
  Kind kind{.sources = options_.zone,
            .verification = {"", std::string(options_.zone_mode ? kZonePublicKeyPrefix : kZoneKeyPrefix)},
            .legacy = {},
            .revocations = {"", std::string(kZoneRevocations)}};
  if (!options_.zone_mode) {
    kind.legacy = kind.verification;
  }
  return kind;
}

TokenValidator::Kind TokenValidator::zone_ingress_kind() const {
  const KeyRing ring{"", std::string(kZoneIngressKeyPrefix)};
  return {.sources = secrets_only_,
          .verification = ring,
          .legacy = ring,
          .revocations = {"", std::string(kZoneIngressRevocations)},
          .key_id_optional = true};
}

security::TagValues tag_values(const model::Resource& dataplane) {
  const auto& networking = dataplane.as<mesh::v1alpha1::Dataplane>().networking();
  security::TagValues values;
  for (const auto& inbound : networking.inbound()) {
    add_tags(inbound.tags(), values);
  }
  add_tags(networking.gateway().tags(), values);
  return values;
}

}  // namespace kuma::manager
