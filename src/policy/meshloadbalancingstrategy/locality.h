#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "mesh/tags.h"
#include "policy/conf_view.h"

namespace kuma::policy::meshloadbalancingstrategy {

// What `localityAwareness` means in Envoy (spec/policy-load-balancing.md §4): in which order instances are preferred.

// From where a proxy looks at endpoints: all that an order of preference depends on beside the settings. Proxies with equal
// places share one list of endpoints.
struct Place {
  // An affinity tag that the proxy has. Instances with the same value are preferred by the weight.
  struct Affinity {
    std::string key;
    std::string value;
    uint32_t weight = 0;
  };

  std::string zone;                // of the control plane
  std::vector<Affinity> affinity;  // in order of preference, those that the proxy has
  bool through_egress = false;     // other zones are reached through the zone's egress, which orders them itself
};
Place build_place(const ConfView& awareness, std::string zone, const std::vector<mesh::Tags>& proxy_tags, bool through_egress);

// The weights of an affinity tag at `index` of `count` when none are given: each ten times the next one.
uint64_t default_affinity_weight(size_t index, size_t count);

// Whether instances within the zone are told apart by weights.
bool weighs_localities(const ConfView& awareness);

// Orders the endpoints of a list that is as the mesh has it.
void order_endpoints(const ConfView& awareness, const Place& place,
                     ::envoy::config::endpoint::v3::ClusterLoadAssignment& assignment);

}  // namespace kuma::policy::meshloadbalancingstrategy
