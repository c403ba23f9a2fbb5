#include "policy/matched.h"

#include <algorithm>
#include <optional>

#include "base/status.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/gateway.pb.h"
#include "model/gateways.h"
#include "policy/legacy.h"
#include "policy/route_name.h"

namespace kuma::policy {
namespace {

using mesh::v1alpha1::Dataplane;
using mesh::v1alpha1::MeshGateway;

// A route that targets a route that targets a route …: no more than this.
constexpr int kRouteDepthMax = 4;

const model::ResourcePtr* gateway_of(const mesh::MeshView& view, const mesh::DataplaneView& dataplane) {
  if (!dataplane.resource->as<Dataplane>().networking().has_gateway()) {
    return nullptr;
  }
  return select_for_dataplane(view.policies_of("MeshGateway"), dataplane);
}

// A resource refers to another of its mesh by name; after a sync from global either may bear the longer form.
bool refers_to(const std::string& name, const model::ResourceMeta& meta) {
  return name == meta.name || synced_name(meta.mesh, name) == meta.name || name == synced_name(meta.mesh, meta.name);
}

model::ResourcePtr find_route(const mesh::MeshView& view, const std::string& name) {
  for (const auto& route : view.policies_of("MeshHTTPRoute")) {
    if (refers_to(name, route->meta)) {
      return route;
    }
  }
  return nullptr;
}

// The target that counts: of a policy for a MeshHTTPRoute that is the route's own. Nothing when there is no such route.
std::optional<TargetRef> resolve_target(const model::Resource& policy, const mesh::MeshView& view, std::string* warning) {
  auto target = parse_target_ref(policy.spec, "targetRef");
  for (int depth = 0; target && target->kind == TargetKind::MeshHTTPRoute; ++depth) {
    const model::ResourcePtr route = depth < kRouteDepthMax ? find_route(view, target->name) : nullptr;
    if (route == nullptr) {
      if (warning != nullptr) {
        *warning = fmt::format(
            "unable to resolve TargetRef on policy: mesh:'{}' name:'{}' error:'couldn't resolve MeshHTTPRoute targetRef "
            "with name '{}''",
            policy.meta.mesh, policy.meta.name, target->name);
      }
      return std::nullopt;
    }
    target = parse_target_ref(route->spec, "targetRef");
  }
  return target;
}

bool selects_gateway(const TargetRef& target, const mesh::MeshView& view, const mesh::DataplaneView& dataplane) {
  const model::ResourcePtr* gateway = gateway_of(view, dataplane);
  return gateway != nullptr && model::is_builtin_gateway(dataplane.resource->as<Dataplane>()) && refers_to(target.name, (*gateway)->meta);
}

int precedence(const model::Resource& policy) {
  auto target = parse_target_ref(policy.spec, "targetRef");
  return target ? static_cast<int>(target->kind) : 0;
}

const json::array& list_in(const json::value& object, std::string_view name) {
  static const json::array kNone;
  const json::value* list = find(object, name);
  return list == nullptr || !list->is_array() ? kNone : list->get_array();
}

// Of a policy for a MeshHTTPRoute, whose settings are for the requests of that route: one for each rule of the route and
// each entry of the policy.
void add_route_items(const model::ResourcePtr& policy, const model::Resource& route, std::vector<RuleItem>& items) {
  for (const json::value& to : list_in(route.spec, "to")) {
    auto target = parse_target_ref(to, "targetRef");
    for (const json::value& rule : list_in(to, "rules")) {
      const json::value* matches = find(rule, "matches");
      if (!target || matches == nullptr) {
        continue;
      }
      TargetRef narrow{TargetKind::MeshServiceSubset, target->name, {{std::string(kRouteTag), route_name(*matches)}}};
      for (RuleItem item : rule_items(policy, "to")) {
        item.target = narrow;
        items.push_back(std::move(item));
      }
    }
  }
}

// The route that a policy is for; null: it is for something else, or the route is gone.
model::ResourcePtr route_of(const mesh::MeshView& view, const model::Resource& policy) {
  auto target = parse_target_ref(policy.spec, "targetRef");
  return target && target->kind == TargetKind::MeshHTTPRoute ? find_route(view, target->name) : nullptr;
}

std::vector<RuleItem> items_of(const mesh::ResourceList& policies, std::string_view list, const mesh::MeshView& view) {
  std::vector<RuleItem> items;
  for (const auto& policy : policies) {
    if (const auto route = list == "to" ? route_of(view, *policy) : nullptr) {
      add_route_items(policy, *route, items);
    } else {
      std::vector<RuleItem> own = rule_items(policy, list);
      std::move(own.begin(), own.end(), std::back_inserter(items));
    }
  }
  return items;
}

// All resources that the rules of policies are made from: they and the routes they are for.
mesh::ResourceList with_routes(const mesh::ResourceList& policies, const mesh::MeshView& view) {
  mesh::ResourceList all = policies;
  for (const auto& policy : policies) {
    if (auto route = route_of(view, *policy)) {
      all.push_back(std::move(route));
    }
  }
  return all;
}

}  // namespace

std::string RuleCache::key_of(std::string_view what, const mesh::ResourceList& policies) {
  std::string key(what);
  for (const auto& policy : policies) {
    const model::Resource* address = policy.get();
    key.append(reinterpret_cast<const char*>(&address), sizeof address);
  }
  return key;
}

RulesPtr RuleCache::find(const std::string& key) {
  std::lock_guard lock(mutex_);
  if (auto found = recent_.find(key); found != recent_.end()) {
    return found->second.rules;
  }
  auto found = older_.find(key);
  if (found == older_.end()) {
    return nullptr;
  }
  RulesPtr rules = found->second.rules;
  recent_.insert(older_.extract(found));
  return rules;
}

void RuleCache::put(std::string key, const mesh::ResourceList& policies, RulesPtr rules) {
  std::lock_guard lock(mutex_);
  if (recent_.size() >= kEntriesMax / 2) {
    older_ = std::move(recent_);
    recent_.clear();
  }
  recent_.insert_or_assign(std::move(key), Entry{policies, std::move(rules)});
}

std::vector<SelectableInbound> selectable_inbounds(const mesh::MeshView& view, const mesh::DataplaneView& dataplane) {
  std::vector<SelectableInbound> inbounds;
  const auto& networking = dataplane.resource->as<Dataplane>().networking();
  for (const auto& inbound : networking.inbound()) {
    if (inbound.state() == Dataplane::Networking::Inbound::Ignored) {
      continue;
    }
    const std::string& address = inbound.address().empty() ? dataplane.address : inbound.address();
    inbounds.push_back({.key = {address, inbound.port()}, .tags = mesh::to_tags(inbound.tags()), .listener_tags = {}});
  }
  if (const model::ResourcePtr* resource = gateway_of(view, dataplane)) {
    const auto& gateway = (*resource)->as<MeshGateway>();
    for (const auto& listener : gateway.conf().listeners()) {
      mesh::Tags tags = mesh::to_tags(listener.tags());  // emplace keeps what is there: the narrower tag wins
      tags.insert(gateway.tags().begin(), gateway.tags().end());
      tags.insert(networking.gateway().tags().begin(), networking.gateway().tags().end());
      inbounds.push_back({.key = {dataplane.address, listener.port()},
                          .tags = std::move(tags),
                          .of_gateway = true,
                          .listener_tags = mesh::to_tags(listener.tags())});
    }
  }
  return inbounds;
}

std::vector<InboundKey> selected_inbounds(const model::Resource& policy, const mesh::MeshView& view,
                                          const mesh::DataplaneView& dataplane,
                                          const std::vector<SelectableInbound>& inbounds, std::string* warning) {
  auto target = resolve_target(policy, view, warning);
  std::vector<InboundKey> selected;
  if (!target) {
    return selected;
  }
  bool by_gateway = target->kind == TargetKind::MeshGateway;
  if (by_gateway && !selects_gateway(*target, view, dataplane)) {
    return selected;
  }
  TargetRef listener_target{TargetKind::MeshSubset, "", target->tags};
  for (const SelectableInbound& inbound : inbounds) {
    bool selects = by_gateway ? inbound.of_gateway && selects_tags(listener_target, inbound.listener_tags)
                              : selects_tags(*target, inbound.tags);
    if (selects && std::ranges::find(selected, inbound.key) == selected.end()) {
      selected.push_back(inbound.key);
    }
  }
  return selected;
}

std::string refusal_of(const model::Resource& policy) {
  auto same_type = [&](const Policy& one) { return one.type.name == policy.type->name; };
  const auto found = std::ranges::find_if(policies(), same_type);
  if (found == policies().end() || !found->leaves_out_invalid || found->type.validate == nullptr) {
    return "";
  }
  Violations violations;
  found->type.validate(policy, violations);
  return violations.empty() ? "" : fmt::format("left out: {}", violations.text());
}

ProxyPolicies::ProxyPolicies(const mesh::MeshView& view, const mesh::DataplaneView& dataplane, RuleCache* cache)
    : view_(view), dataplane_(dataplane), cache_(cache), inbounds_(selectable_inbounds(view, dataplane)) {}

MatchedPolicies ProxyPolicies::match(const model::ResourceType& type) const {
  MatchedPolicies matched;
  std::map<InboundKey, mesh::ResourceList> by_inbound;
  mesh::ResourceList sorted = view_.policies_of(type.name);
  std::ranges::stable_sort(sorted, {}, [](const model::ResourcePtr& policy) { return precedence(*policy); });
  for (const auto& policy : sorted) {
    std::string warning;
    std::vector<InboundKey> keys = selected_inbounds(*policy, view_, dataplane_, inbounds_, &warning);
    if (!warning.empty()) {
      matched.problems.push_back({ref_of(*policy), std::move(warning)});
    }
    if (std::string refusal = keys.empty() ? std::string() : refusal_of(*policy); !refusal.empty()) {
      matched.problems.push_back({ref_of(*policy), std::move(refusal)});
      continue;
    }
    if (!keys.empty()) {
      matched.policies.push_back(policy);
    }
    for (InboundKey& key : keys) {
      by_inbound[std::move(key)].push_back(policy);
    }
  }

  static const RulesPtr kNoRules = std::make_shared<const Rules>();
  auto rules_of = [&](std::string_view list, const mesh::ResourceList& policies) -> RulesPtr {
    if (policies.empty()) {
      return kNoRules;
    }
    auto make = [&] { return items_of(policies, list, view_); };
    auto rules = cache_ == nullptr ? build_rules(make())
                                   : cache_->get(fmt::format("{}/{}:", type.name, list), with_routes(policies, view_), make);
    if (rules.ok()) {
      return *std::move(rules);
    }
    matched.problems.push_back({ref_of(*policies.back()), std::string(message_of(rules.status()))});
    return kNoRules;
  };
  if (type.has_from) {
    for (const auto& [key, policies] : by_inbound) {
      matched.from.emplace(key, rules_of("from", policies));
    }
  }
  matched.to = type.has_to ? rules_of("to", matched.policies) : kNoRules;
  matched.single = type.has_from || type.has_to ? kNoRules : rules_of("", matched.policies);
  return matched;
}

const MatchedPolicies& ProxyPolicies::of(const model::ResourceType& type) const {
  auto found = matched_.find(type.name);
  return found != matched_.end() ? found->second : matched_.emplace(type.name, match(type)).first->second;
}

const MatchedPolicies& ProxyPolicies::of(std::string_view type_name) const {
  for (const Policy& policy : policies()) {
    if (policy.type.name == type_name) {
      return of(policy.type);
    }
  }
  static const MatchedPolicies kNothing = [] {
    MatchedPolicies nothing;
    nothing.to = nothing.single = std::make_shared<const Rules>();
    return nothing;
  }();
  return kNothing;
}

std::vector<Problem> ProxyPolicies::problems() const {
  std::vector<Problem> problems;
  for (const auto& [type, matched] : matched_) {
    problems.insert(problems.end(), matched.problems.begin(), matched.problems.end());
  }
  return problems;
}

}  // namespace kuma::policy
