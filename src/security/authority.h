#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/violations.h"
#include "security/certificate.h"

namespace kuma::security {

inline constexpr std::chrono::hours kYear{365 * 24};
inline constexpr std::chrono::hours kCaLifetime = 10 * kYear;
inline constexpr std::chrono::hours kIdentityLifetime{24};
inline constexpr std::string_view kEnvoyAdminCaName = "Envoy Admin CA";
inline constexpr std::string_view kInterCpCaName = "Control Plane Intercommunication CA";

// A certificate authority with its key at hand. Immutable; any thread. Loading costs about as much as issuing, so keep one
// as long as its PEMs stay the same.
class Authority {
 public:
  // The first certificate of `certificate_pem` signs, with the first key of `key_pem`; both may be the same text.
  // InvalidArgument when either can't be read or they do not belong together.
  static absl::StatusOr<std::shared_ptr<const Authority>> load(std::string_view certificate_pem,
                                                               std::string_view key_pem);

  absl::StatusOr<std::string> issue(const CertificateSpec& spec, const PrivateKey& subject) const;

  const Certificate& certificate() const { return certificate_; }

 private:
  Authority(Certificate certificate, PrivateKey key) : certificate_(std::move(certificate)), key_(std::move(key)) {}

  Certificate certificate_;
  PrivateKey key_;
};
using AuthorityPtr = std::shared_ptr<const Authority>;

// The self-signed certificate of a mesh's builtin authority (spec/mtls.md §2).
absl::StatusOr<std::string> build_mesh_ca(const std::string& mesh, const PrivateKey& key, std::chrono::nanoseconds lifetime,
                                          WallTime now);
// The self-signed certificate of an authority of the control plane's own, such as kEnvoyAdminCaName.
absl::StatusOr<std::string> build_system_ca(std::string_view common_name, const PrivateKey& key, WallTime now);

// Who a proxy is: every value of each of its tags, of all its inbounds.
using IdentityTags = std::map<std::string, std::set<std::string>>;

struct Identity {
  KeyPair pair;
  WallTime issued_at{};
  WallTime not_after{};

  // When a new one is due: after four fifths of its life.
  WallTime renew_at() const { return issued_at + (not_after - issued_at) / 5 * 4; }
};

// A proxy's certificate with a new ECDSA P-256 key (spec/mtls.md §4): `spiffe://<mesh>/<service>` of each service, then
// `kuma://<tag>/<value>` of each tag. InvalidArgument when the mesh or a service can't be part of a SPIFFE id.
absl::StatusOr<Identity> issue_identity(const Authority& authority, const std::string& mesh, const IdentityTags& tags,
                                        std::chrono::nanoseconds lifetime, WallTime now);

// The certificate of a proxy's admin listener, for the addresses that we reach it at; ten years.
absl::StatusOr<KeyPair> issue_admin_server(const Authority& authority, const std::vector<std::string>& addresses,
                                           WallTime now);
// What we show to proxies' admin listeners: `kuma-cp`; ten years.
absl::StatusOr<KeyPair> issue_admin_client(const Authority& authority, WallTime now);

// How meshes write lifetimes: a number and one of y, w, d, h, m, s, ms, or `0`; `has to be a valid format` else. A life of
// more than a hundred years counts as a hundred.
absl::StatusOr<std::chrono::nanoseconds> parse_lifetime(std::string_view text);

// Adds what is wrong with a provided authority below the backend's `conf` (spec/mtls.md §3): fields `cert`, `cert[0]`.
void check_provided_ca(std::string_view certificate_pem, std::string_view key_pem, const FieldPath& conf,
                       Violations& violations);

}  // namespace kuma::security
