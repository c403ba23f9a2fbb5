#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "mesh/mesh_view.h"
#include "mesh/zone_view.h"
#include "security/authority.h"
#include "xds/gen/generator.h"
#include "xds/gen/refresh.h"
#include "xds/gen/shared_pieces.h"
#include "xds/server/certificate_info.h"
#include "xds/server/identity.h"
#include "xds/server/push_scheduler.h"
#include "xds/server/snapshot.h"

namespace kuma::xds {

// The authority of proxies' admin listeners (spec/xds-server.md §10).
struct AdminAuthority {
  security::AuthorityPtr authority;
  std::string pem;
};
using AdminAuthorityPtr = std::shared_ptr<const AdminAuthority>;

// What a configuration is made from: the view of the dataplane's mesh, or of the zone for its own proxies.
struct ConfiguratorInput {
  mesh::MeshViewPtr mesh;
  std::shared_ptr<const mesh::ZoneView> zone;  // null for dataplanes
  ProxyMetadata metadata;
  AdminAuthorityPtr admin;  // proxies with an admin port need it
};

// What configurations of all proxies are made with; outlives the configurators. Any thread.
struct ConfiguratorParts {
  const Clock& clock;
  Interner& interner;
  SharedPieces& pieces;
  IdentityIssuer& issuer;
};

// Makes one connected proxy's configuration out of a view: generates resources, adds the secrets that they refer to, and
// keeps what has to stay the same from one time to the next (identity, certificate of the admin listener).
//
// Thread: any, one at a time.
class ProxyConfigurator {
 public:
  struct Result {
    SnapshotPtr snapshot;
    std::shared_ptr<const Generation> generation;  // without its resources, which are in the snapshot
    std::optional<CertificateInfo> certificate;
    std::optional<WallTime> renew_at;              // of the certificate
    std::string renewal_error;  // why the certificate, which is due, could not be renewed; the old one is in the snapshot
  };

  ProxyConfigurator(const ConfiguratorParts& parts, ProxyKey proxy) : parts_(parts), proxy_(std::move(proxy)) {}

  // NotFound when the proxy has no resource in the view; any other error says why no configuration can be made.
  absl::StatusOr<Result> configure(const ConfiguratorInput& input);

 private:
  absl::Status generate_all(const ConfiguratorInput& in, Snapshot& snapshot);
  bool refresh_endpoints(const ConfiguratorInput& in, Snapshot& snapshot);
  absl::Status ensure_admin_tls(const ConfiguratorInput& input);
  std::vector<std::string> admin_addresses(const ConfiguratorInput& input) const;
  absl::StatusOr<std::vector<WireResourcePtr>> secrets(const ConfiguratorInput& input, const std::vector<SecretRef>& refs);

  const ConfiguratorParts& parts_;
  const ProxyKey proxy_;
  std::map<std::string, ProxyIdentity> identities_;  // by mesh; a dataplane has one
  SnapshotPtr last_;  // sets that stay the same are taken over
  std::shared_ptr<const Generation> generation_;  // without its resources
  std::vector<WireResourcePtr> generated_secrets_;  // of generation_: certificates that users gave
  std::optional<EndpointRefresh> refresh_;        // of generation_, as long as it does
  ProxyMetadata metadata_;                        // that generation_ was made for
  AdminTls admin_tls_;
  AdminAuthorityPtr admin_tls_authority_;  // what admin_tls_ was issued by and for
  std::vector<std::string> admin_tls_addresses_;
};

}  // namespace kuma::xds
