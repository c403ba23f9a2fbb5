#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "mesh/mesh_view.h"
#include "observe/metrics.h"
#include "security/authority.h"
#include "xds/gen/generator.h"

namespace kuma::xds {

// The certificate state of one proxy, kept as long as it is connected.
struct ProxyIdentity {
  std::optional<security::Identity> identity;
  WireResourcePtr wire;                 // the secret with it
  // What it was issued for; anything else needs a new one.
  std::string authority_pem;
  security::IdentityTags tags;
  std::chrono::nanoseconds lifetime{};
  // For the insight.
  std::string issued_backend;
  // Why the certificate, which is due, was not renewed. It is used on as long as it is valid.
  std::string renewal_error;
};

// Turns the secrets that a configuration refers to into resources: identities, which are issued per proxy and kept until
// four fifths of their life are over or what they certify changes, and CA bundles, which are the same for all.
//
// When a renewal fails the old identity stays for as long as it is valid for what the proxy is; whoever asks, asks again later.
//
// Thread: any, one at a time for each proxy.
class IdentityIssuer {
 public:
  // security::issue_identity, or a test's.
  using Issue = std::function<absl::StatusOr<security::Identity>(const security::Authority& authority, const std::string& mesh,
                                                                 const security::IdentityTags& tags,
                                                                 std::chrono::nanoseconds lifetime, WallTime now)>;
  IdentityIssuer(const Clock& clock, Interner& interner, observe::Metrics& metrics, Issue issue = security::issue_identity);

  // Resources for `refs`, which are all of `view`'s mesh or of all meshes; an identity certifies `tags`. Unavailable when the
  // mesh's authority can't be used, with the reason.
  absl::StatusOr<std::vector<WireResourcePtr>> secrets_for(const mesh::MeshView& view, const security::IdentityTags& tags,
                                                           const std::vector<SecretRef>& refs, ProxyIdentity& state);

 private:
  absl::StatusOr<WireResourcePtr> identity_secret(const mesh::MeshView& view, const security::IdentityTags& tags,
                                                  const SecretRef& ref, ProxyIdentity& state);
  WireResourcePtr ca_secret(const mesh::MeshView& view, const SecretRef& ref);
  absl::StatusOr<security::AuthorityPtr> authority_of(const mesh::MeshView& view);

  struct LoadedAuthority {
    std::string certificate_pem;
    std::string key_pem;
    security::AuthorityPtr authority;
  };

  void count(const std::string& mesh);
  void measure(const char* metric, const char* help, const std::string& backend, MonotonicTime start);

  const Clock& clock_;
  Interner& interner_;
  observe::Metrics& metrics_;
  const Issue issue_;
  std::mutex mutex_;  // guards the two below
  std::map<std::string, LoadedAuthority> authorities_;  // by mesh
  std::map<std::string, observe::Counter> generated_;   // by mesh
};

// Every value of each tag of a dataplane, over its inbounds that are not ignored and its gateway.
security::IdentityTags identity_tags(const mesh::DataplaneView& dataplane);

// How long a mesh's identities live: dpCert.rotation.expiration of the enabled backend, a day if it does not say.
std::chrono::nanoseconds identity_lifetime(const mesh::MeshView& view);

}  // namespace kuma::xds
