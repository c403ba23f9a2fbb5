#pragma once

#include <string>
#include <vector>

#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "mesh/mesh_view.h"

namespace kuma::policy::envoy {

// What endpoints look like from a proxy.
struct LocalityRules {
  std::string local_zone;
  bool prefer_local = false;  // the mesh's routing.localityAwareLoadBalancing
};

// Adds the endpoints in groups by their zone, in the order of the zones' names, those without a zone first; within a group by
// address. With `prefer_local` other zones' are for when too few of this one are healthy (spec/xds-config.md §8.4, §9).
void add_endpoints(std::vector<const mesh::Endpoint*> endpoints, const LocalityRules& rules,
                   ::envoy::config::endpoint::v3::ClusterLoadAssignment& assignment);

}  // namespace kuma::policy::envoy
