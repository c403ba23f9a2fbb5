#pragma once

#include <string>
#include <string_view>

#include "fmt/format.h"

// Names of what the control plane itself keeps in the store (spec/tokens-and-secrets.md §8).
namespace kuma::manager {

inline constexpr std::string_view kUserKeyPrefix = "user-token-signing-key";
inline constexpr std::string_view kZoneKeyPrefix = "zone-token-signing-key";
inline constexpr std::string_view kZonePublicKeyPrefix = "zone-token-signing-public-key";
inline constexpr std::string_view kZoneIngressKeyPrefix = "zone-ingress-token-signing-key";
inline constexpr std::string_view kUserRevocations = "user-token-revocations";
inline constexpr std::string_view kZoneRevocations = "zone-token-revocations";
inline constexpr std::string_view kZoneIngressRevocations = "zone-ingress-token-revocations";
inline constexpr std::string_view kAdminUserToken = "admin-user-token";
inline constexpr std::string_view kEnvoyAdminCa = "envoy-admin-ca";
inline constexpr std::string_view kInterCpCa = "inter-cp-ca";
inline constexpr std::string_view kClusterId = "kuma-cluster-id";
inline constexpr std::string_view kDefaultMesh = "default";
// Says that a mesh's creation has begun and not ended; see mesh_setup.h. Never synced.
inline constexpr std::string_view kMeshSetupPrefix = "mesh-setup-";

inline std::string dataplane_key_prefix(std::string_view mesh) {
  return fmt::format("dataplane-token-signing-key-{}", mesh);
}
inline std::string dataplane_revocations(std::string_view mesh) {
  return fmt::format("dataplane-token-revocations-{}", mesh);
}
inline std::string first_key(std::string_view prefix) { return fmt::format("{}-1", prefix); }

}  // namespace kuma::manager
