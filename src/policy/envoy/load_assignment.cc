#include "policy/envoy/load_assignment.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "policy/envoy/filters.h"

namespace kuma::policy::envoy {
namespace {

using ::envoy::config::core::v3::Metadata;
using ::envoy::config::endpoint::v3::ClusterLoadAssignment;
using ::envoy::config::endpoint::v3::LbEndpoint;

// A zone and how much it is preferred; endpoints without a zone come first.
struct Locality {
  std::string zone;
  uint32_t priority = 0;
  auto operator<=>(const Locality&) const = default;
};

// How Envoy tells the endpoints of one cluster apart: for subsets and for transport sockets.
void set_metadata(const mesh::Tags& tags, Metadata& metadata) {
  auto& filters = *metadata.mutable_filter_metadata();
  auto& fields = *filters["envoy.lb"].mutable_fields();
  for (const auto& [key, value] : tags) {
    if (key != mesh::kServiceTag) {
      fields[key].set_string_value(value);
    }
  }
  filters["envoy.transport_socket_match"] = filters["envoy.lb"];
}

void set_endpoint(const mesh::Endpoint& from, LbEndpoint& endpoint) {
  set_address(*endpoint.mutable_endpoint()->mutable_address(), from.address, from.port);
  endpoint.mutable_load_balancing_weight()->set_value(from.weight);
  if (from.tags.size() > from.tags.count(mesh::kServiceTag)) {
    set_metadata(from.tags, *endpoint.mutable_metadata());
  }
}

}  // namespace

void add_endpoints(std::vector<const mesh::Endpoint*> endpoints, const LocalityRules& rules, ClusterLoadAssignment& assignment) {
  std::map<Locality, std::vector<const mesh::Endpoint*>> groups;
  for (const mesh::Endpoint* endpoint : endpoints) {
    bool remote = endpoint->zone && *endpoint->zone != rules.local_zone;
    groups[{endpoint->zone.value_or(""), rules.prefer_local && remote ? 1U : 0U}].push_back(endpoint);
  }
  for (auto& [locality, members] : groups) {
    auto& group = *assignment.add_endpoints();
    if (!locality.zone.empty()) {
      group.mutable_locality()->set_zone(locality.zone);
    }
    group.set_priority(locality.priority);
    std::ranges::stable_sort(members, {}, [](const mesh::Endpoint* e) { return std::tie(e->address, e->port); });
    for (const mesh::Endpoint* endpoint : members) {
      set_endpoint(*endpoint, *group.add_lb_endpoints());
    }
  }
}

}  // namespace kuma::policy::envoy
