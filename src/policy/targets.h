#pragma once

#include <map>
#include <string_view>

#include "policy/matched.h"
#include "policy/proxy_resources.h"

namespace kuma::policy {

// What of a dataplane's configuration the rules of a policy are for (spec/policy-traffic.md §1.5, §1.6). Each function calls
// `change` with a draft and what is to be applied to it; drafts that no rule is for are passed over.

// The services that a proxy's outbounds are for, each with what its instances speak. An outbound may be split over instances
// that have less in common than those of its service, so this may be more than its listener understands.
class OutboundServices {
 public:
  OutboundServices(const mesh::MeshView& view, const ProxyResources& resources);
  // Null: no outbound is for it.
  const mesh::Protocol* find(std::string_view service) const;

 private:
  std::map<std::string_view, mesh::Protocol> protocols_;  // names are those of the resources' outbounds
};

// change(ListenerDraft&, const Rule&, mesh::Protocol of the service)
template <typename Change>
void for_outbound_listeners(const OutboundServices& services, const Rules& to, ProxyResources& resources, Change change) {
  for (auto& [name, draft] : resources.listeners) {
    if (draft.origin == Origin::Outbound) {
      const Rule* rule = to.find_service(draft.subject->service);
      const mesh::Protocol* protocol = services.find(draft.subject->service);
      if (rule != nullptr && protocol != nullptr) {
        change(draft, *rule, *protocol);
      }
    }
  }
}

// Clusters of all instances of such services and of some of them. A destination in another mesh is out of a policy's reach.
// change(ClusterDraft&, const Rule&, mesh::Protocol of the service)
template <typename Change>
void for_outbound_clusters(const OutboundServices& services, const Rules& to, ProxyResources& resources, Change change) {
  for (auto& [name, draft] : resources.clusters) {
    if (draft.origin == Origin::Outbound && mesh::tag(draft.subject->tags, mesh::kMeshTag).empty()) {
      const Rule* rule = to.find_service(draft.subject->service);
      const mesh::Protocol* protocol = services.find(draft.subject->service);
      if (rule != nullptr && protocol != nullptr) {
        change(draft, *rule, *protocol);
      }
    }
  }
}

// Inbounds that any policy of the type selects, with their rules.
// change(ListenerDraft&, const RulesPtr&)
template <typename Change>
void for_inbound_listeners(const MatchedPolicies& matched, ProxyResources& resources, Change change) {
  if (matched.from.empty()) {
    return;
  }
  for (auto& [name, draft] : resources.listeners) {
    if (draft.origin == Origin::Inbound) {
      auto rules = matched.from.find({draft.subject->address, draft.subject->port});
      if (rules != matched.from.end()) {
        change(draft, rules->second);
      }
    }
  }
}

}  // namespace kuma::policy
