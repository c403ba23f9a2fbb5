#include <algorithm>

#include "policy/envoy/outbound.h"

namespace kuma::policy::envoy {
namespace {

using ::envoy::config::endpoint::v3::ClusterLoadAssignment;

void make_endpoints(const std::string& name, const mesh::Tags& tags, const mesh::Service* service,
                    const LocalityRules& rules, ClusterLoadAssignment& assignment) {
  assignment.set_cluster_name(name);
  if (service == nullptr) {
    return;
  }
  std::vector<const mesh::Endpoint*> endpoints;
  for (const auto& endpoint : service->endpoints) {
    if (has_tags(*endpoint, tags)) {
      endpoints.push_back(endpoint.get());
    }
  }
  add_endpoints(std::move(endpoints), rules, assignment);
}

}  // namespace

bool has_tags(const mesh::Endpoint& endpoint, const mesh::Tags& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& entry) {
    return entry.first == mesh::kServiceTag || entry.first == mesh::kMeshTag ||
           mesh::tag(endpoint.tags, entry.first) == std::string_view(entry.second);
  });
}

EndpointsDraft draft_endpoints(std::string cluster_name, const mesh::Tags& tags, const mesh::ServicePtr& service,
                               const LocalityRules& locality) {
  EndpointsDraft draft;
  draft.name = cluster_name;
  draft.origin = Origin::Outbound;
  draft.is_of_service = true;
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
