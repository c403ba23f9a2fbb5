#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

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

// What a gateway's listener is to policies: HTTP and TCP by their names, all else is unknown, and so left alone, by those that
// ask what is spoken.
struct GatewayListener {
  ListenerDraft& draft;
  RouteDraft* routes = nullptr;  // null: it passes on bytes
  mesh::Protocol protocol = mesh::Protocol::Unknown;
};

// change(const GatewayListener&)
template <typename Change>
void for_gateway_listeners(ProxyResources& resources, Change change) {
  for (auto& [name, draft] : resources.listeners) {
    if (draft.origin == Origin::Gateway) {
      auto routes = resources.routes.find(name);
      change(GatewayListener{.draft = draft,
                             .routes = routes == resources.routes.end() ? nullptr : &routes->second,
                             .protocol = draft.subject->protocol});
    }
  }
}

// Those that any policy of the type selects, with the rules for their clients. change(const GatewayListener&, const RulesPtr&)
template <typename Change>
void for_gateway_listeners(const MatchedPolicies& matched, ProxyResources& resources, Change change) {
  for_gateway_listeners(resources, [&](const GatewayListener& listener) {
    auto rules = matched.from.find({listener.draft.subject->address, listener.draft.subject->port});
    if (rules != matched.from.end()) {
      change(listener, rules->second);
    }
  });
}

// Clusters of what a gateway's routes lead to.
// change(ClusterDraft&, const Rule&, mesh::Protocol of the gateway's listener)
template <typename Change>
void for_gateway_clusters(const Rules& to, ProxyResources& resources, Change change) {
  std::map<std::pair<std::string, uint32_t>, mesh::Protocol> protocols;
  for_gateway_listeners(resources, [&](const GatewayListener& listener) {
    protocols.emplace(std::pair(listener.draft.subject->address, listener.draft.subject->port), listener.protocol);
  });
  for (auto& [name, draft] : resources.clusters) {
    if (draft.origin == Origin::Gateway && mesh::tag(draft.subject->tags, mesh::kMeshTag).empty()) {
      if (const Rule* rule = to.find_service(draft.subject->service)) {
        change(draft, *rule, protocols[{draft.subject->address, draft.subject->port}]);
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
