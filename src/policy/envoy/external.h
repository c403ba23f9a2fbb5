#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "mesh/external_tls.h"
#include "mesh/mesh_view.h"
#include "policy/envoy/load_assignment.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::envoy {

// Services outside of the mesh, reached without mTLS: by their clients themselves, or by an egress for them.

struct ExternalEndpoint {
  mesh::EndpointPtr endpoint;
  std::optional<mesh::ExternalTls> tls;
};

// What of `endpoints`, which stand for ExternalServices, can be used. One whose certificates are missing or unreadable is left
// out (whoever asked for TLS is never connected without it), and the resources say so as a problem of the ExternalService. The
// secrets that were looked at are noted; `data_secrets` is where.
std::vector<ExternalEndpoint> load_external(const std::vector<mesh::EndpointPtr>& endpoints, const mesh::MeshView& view,
                                            std::set<std::string>& data_secrets, std::vector<Problem>& problems);

// The addresses of a cluster: its type, load assignment and transport sockets. Hosts are resolved by Envoy, to IPv6 too when
// the proxy has such an address. Without endpoints it is a cluster that leads nowhere.
struct ExternalCluster {
  std::vector<ExternalEndpoint> endpoints;
  LocalityRules locality;
  bool ipv6 = false;
};
void set_external(const ExternalCluster& from, ::envoy::config::cluster::v3::Cluster& cluster);
// All that set_external depends on.
void add_to_key(const ExternalCluster& from, PieceKey& key);

// The ExternalServices of a service that a dataplane may reach by itself: all when the mesh has no mTLS, else those of which
// the most specific TrafficPermission has it among its sources (spec/legacy-policies.md §6).
std::vector<mesh::EndpointPtr> visible_external(const mesh::Service& service, const mesh::MeshView& view,
                                                const mesh::DataplaneView& dataplane);

}  // namespace kuma::policy::envoy
