#include <algorithm>
#include <map>
#include <tuple>

#include "policy/envoy/filters.h"
#include "policy/envoy/outbound.h"

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

bool has_tags(const mesh::Endpoint& endpoint, const mesh::Tags& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& entry) {
    return entry.first == mesh::kServiceTag || entry.first == mesh::kMeshTag ||
           mesh::tag(endpoint.tags, entry.first) == std::string_view(entry.second);
  });
}

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

void make_endpoints(const std::string& name, const mesh::Tags& tags, const mesh::Service* service,
                    const LocalityRules& rules, ClusterLoadAssignment& assignment) {
  assignment.set_cluster_name(name);
  if (service == nullptr) {
    return;
  }
  std::map<Locality, std::vector<const mesh::Endpoint*>> groups;
  for (const auto& endpoint : service->endpoints) {
    if (has_tags(*endpoint, tags)) {
      bool remote = endpoint->zone && *endpoint->zone != rules.local_zone;
      groups[{endpoint->zone.value_or(""), rules.prefer_local && remote ? 1U : 0U}].push_back(endpoint.get());
    }
  }
  for (auto& [locality, endpoints] : groups) {
    auto& group = *assignment.add_endpoints();
    if (!locality.zone.empty()) {
      group.mutable_locality()->set_zone(locality.zone);
    }
    group.set_priority(locality.priority);
    std::ranges::stable_sort(endpoints, {}, [](const mesh::Endpoint* e) { return std::tie(e->address, e->port); });
    for (const mesh::Endpoint* endpoint : endpoints) {
      set_endpoint(*endpoint, *group.add_lb_endpoints());
    }
  }
}

}  // namespace

EndpointsDraft draft_endpoints(std::string cluster_name, const mesh::Tags& tags, const mesh::ServicePtr& service,
                               const LocalityRules& locality) {
  EndpointsDraft draft;
  draft.name = cluster_name;
  draft.origin = Origin::Outbound;
  auto subject = std::make_shared<Subject>();
  subject->service = std::string(mesh::tag(tags, mesh::kServiceTag));
  subject->tags = tags;
  draft.subject = subject;
  draft.key = PieceKey("endpoints");
  // The cluster's name stands for its tags.
  draft.key.add(cluster_name).add(service).add(locality.prefer_local).add(locality.local_zone);
  draft.make = [cluster_name = std::move(cluster_name), subject = std::move(subject), service,
                locality](ClusterLoadAssignment& message) {
    make_endpoints(cluster_name, subject->tags, service.get(), locality, message);
  };
  return draft;
}

}  // namespace kuma::policy::envoy
