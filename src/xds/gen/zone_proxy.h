#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "mesh/zone_view.h"
#include "policy/envoy/load_assignment.h"
#include "policy/proxy_resources.h"
#include "xds/gen/generator.h"
#include "xds/gen/sni_destinations.h"

namespace kuma::xds {

// What the generators of one zone proxy see, and where they put what they make. Lives during one generation.
struct ZoneProxyContext {
  const mesh::ZoneView& zone;
  const model::Resource& resource;  // the ZoneIngress or ZoneEgress
  const ProxyInput& proxy;
  policy::ProxyResources& resources;
  std::map<std::string, MeshInputs>& inputs;  // what each mesh gave, by mesh
};

// One way through a zone proxy: connections that announce a server name, and where they go.
struct SniChain {
  std::string sni;
  std::string name;         // of the filter chain; empty as a rule
  std::string stat_prefix;
  std::string cluster;
  mesh::Tags subset;        // of the cluster's endpoints; empty: any
  // Everything else that the chain depends on, and what it is made of. Null: TLS passes through as it is.
  std::string key;
  std::function<void(::envoy::config::listener::v3::FilterChain&)> terminate;
};

// A service of a mesh as a zone proxy offers it: the instances are given, the names that clients ask for come from routes.
struct ZoneService {
  std::string name;
  std::vector<mesh::EndpointPtr> endpoints;
};

// Finds the server names of services of one mesh, each once.
class SniNames {
 public:
  SniNames(const mesh::MeshView& view, const SniDestinations& destinations) : view_(view), destinations_(destinations) {}

  struct Name {
    std::string sni;
    mesh::Tags tags;      // that a client asks for, with the service
    mesh::Tags relevant;  // of those, the ones that not every instance has: only they narrow the choice
  };
  // Those that were not given out yet.
  std::vector<Name> take(const ZoneService& service);
  // The sets of keys that the endpoints of the service's cluster are chosen by, given what take() said.
  std::set<std::set<std::string>> subset_keys(const std::vector<Name>& names) const;

 private:
  const mesh::MeshView& view_;
  const SniDestinations& destinations_;
  std::set<std::string> used_;
};

// <mesh>:<service>
std::string zone_cluster_name(std::string_view mesh, std::string_view service);

// A cluster whose endpoints come by EDS, and these, for connections that pass through.
void put_passing_service(ZoneProxyContext& context, policy::Origin origin, const mesh::MeshView& view, const ZoneService& service,
                         const policy::envoy::LocalityRules& locality, SniNames& names, std::vector<SniChain>& chains);

// The one listener of a zone proxy. None without chains: Envoy would refuse it.
policy::ListenerDraft* put_zone_listener(ZoneProxyContext& context, policy::Origin origin, const std::string& address,
                                         uint32_t port, std::vector<SniChain> chains,
                                         const std::vector<const model::Resource*>& shaped_by);

absl::Status generate_ingress(ZoneProxyContext& context);  // spec/zone-proxies.md §4
absl::Status generate_egress(ZoneProxyContext& context);   // §5

}  // namespace kuma::xds
