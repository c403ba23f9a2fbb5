#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mesh/mesh_view.h"
#include "policy/envoy/external.h"
#include "policy/envoy/load_assignment.h"
#include "policy/envoy/tls.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::envoy {

// The client's side of a service: a cluster for each set of instances that it is split into, their endpoints, and a listener
// in front of them. Whoever decides where requests go (TrafficRoute, the routes among targetRef policies) describes it here.

// Instances of a service of the mesh, chosen by tags; endpoints come by EDS. Or a service outside of the mesh, which the proxy
// reaches by itself: all of its addresses are in the cluster, whatever the tags.
struct DestinationCluster {
  std::string name;
  mesh::Tags tags;                     // with kuma.io/service
  mesh::Protocol protocol = mesh::Protocol::Unknown;
  std::optional<MeshClientTls> tls = {};
  std::optional<ExternalCluster> external = {};
  bool leaves_mesh = false;            // here or at an egress: the other side is no proxy of ours
  // Policies with selectors; null: none.
  model::ResourcePtr timeout;
  model::ResourcePtr circuit_breaker;
  model::ResourcePtr health_check;
  model::ResourcePtr traffic_route;    // for its load balancer
  // Without any timeout: those of targetRef policies alone count.
  bool bare = false;
};
ClusterDraft draft_destination_cluster(DestinationCluster cluster);

// Whether an endpoint is one that a destination's tags choose: by all but service and mesh.
bool has_tags(const mesh::Endpoint& endpoint, const mesh::Tags& wanted);

// `service` may be null: a list without endpoints.
EndpointsDraft draft_endpoints(std::string cluster_name, const mesh::Tags& tags, const mesh::ServicePtr& service,
                               const LocalityRules& locality);

// A cluster and how many of the requests go there, relative to the others of the route.
struct WeightedCluster {
  std::string name;
  uint32_t weight = 1;
  auto operator<=>(const WeightedCluster&) const = default;
};

struct OutboundRoute {
  // The entry of the TrafficRoute's conf.http that it comes from; nothing: for all requests that no other one is for.
  std::optional<int> http_entry;
  std::vector<WeightedCluster> clusters;
  bool rewrite_host = false;  // a destination outside of the mesh wants its own host name
};

struct OutboundListener {
  std::string address;
  uint32_t port = 0;
  bool transparent = false;            // traffic is redirected to it, nobody binds its address
  mesh::Tags tags;                     // of the outbound
  mesh::Protocol protocol = mesh::Protocol::Unknown;
  std::string tags_header;             // of the client, for servers' policies by source
  std::vector<OutboundRoute> routes;   // empty: leads nowhere
  model::ResourcePtr timeout;
  model::ResourcePtr retry;
  model::ResourcePtr rate_limit;       // for requests that leave the mesh here
  model::ResourcePtr traffic_route;    // that the entries of `routes` refer to
};
ListenerDraft draft_outbound_listener(OutboundListener listener);

// A listener's name, address, direction and tags, as all outbounds have them.
void set_outbound_listener(::envoy::config::listener::v3::Listener& listener, const ProxyOutbound& outbound, bool transparent);
// The header that tells servers the client's tags.
void add_tags_header(::envoy::config::route::v3::RouteConfiguration& config, const std::string& tags_header);

}  // namespace kuma::policy::envoy
