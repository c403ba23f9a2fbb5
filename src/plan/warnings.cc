#include "plan/warnings.h"

#include <algorithm>
#include <map>

#include "base/status.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "policy/legacy.h"
#include "policy/matched.h"
#include "policy/provenance.h"

namespace kuma::plan {
namespace {

using mesh::MeshView;

constexpr char kMeshTrafficPermission[] = "MeshTrafficPermission";
constexpr char kTrafficPermission[] = "TrafficPermission";

// What a targetRef points at, as users wrote it: MeshService "backend".
std::string target_text(const json::value& spec) {
  const json::value* target = find(spec, "targetRef");
  const json::value* kind = target == nullptr ? nullptr : find(*target, "kind");
  const json::value* name = target == nullptr ? nullptr : find(*target, "name");
  std::string text(kind != nullptr && kind->is_string() ? std::string_view(kind->get_string()) : "Mesh");
  if (name != nullptr && name->is_string()) {
    text += fmt::format(" \"{}\"", std::string_view(name->get_string()));
  }
  if (const json::value* tags = target == nullptr ? nullptr : find(*target, "tags")) {
    text += " " + to_json(*tags);
  }
  return text;
}

void tell_of_no_selection(const model::Resource& policy, const MeshView& view, std::vector<std::string>& told) {
  std::string unresolved;
  for (const auto& [key, dataplane] : view.dataplanes) {
    const auto inbounds = policy::selectable_inbounds(view, *dataplane);
    if (!policy::selected_inbounds(policy, view, *dataplane, inbounds, &unresolved).empty()) {
      return;
    }
  }
  const std::string what = fmt::format("{} \"{}\"", policy.type->name, policy.meta.name);
  told.push_back(fmt::format("{} targets {}, which {}: it does nothing", what, target_text(policy.spec),
                             unresolved.empty() ? "selects no dataplane" : "does not exist"));
}

void tell_of_unknown_services(const model::ResourcePtr& policy, const MeshView& view, std::vector<std::string>& told) {
  for (std::string_view list : {"from", "to"}) {
    std::vector<policy::RuleItem> items = policy::rule_items(policy, list);
    for (size_t i = 0; i < items.size(); ++i) {
      const policy::TargetRef& target = items[i].target;
      bool of_service = target.kind == policy::TargetKind::MeshService || target.kind == policy::TargetKind::MeshServiceSubset;
      if (of_service && view.find_service(target.name) == nullptr) {
        told.push_back(fmt::format("{}[{}] of {} \"{}\" is for the service \"{}\", which nothing offers", list, i, policy->type->name,
                                   policy->meta.name, target.name));
      }
    }
  }
}

bool lets_somebody_in(const policy::Rules& rules) {
  return std::ranges::any_of(rules.list(), [](const policy::Rule& rule) {
    const json::value* action = find(rule.conf->value, "action");
    return action != nullptr && action->is_string() && std::string_view(action->get_string()).starts_with("Allow");
  });
}

// Whether each service's inbounds let any client in; nothing when mTLS is off, as then everybody is let in.
std::map<std::string, bool> reachable_services(const MeshView* view) {
  std::map<std::string, bool> reachable;
  if (view == nullptr || !view->mtls_enabled() || view->permissive()) {
    return reachable;
  }
  policy::RuleCache cache;
  for (const auto& [key, dataplane] : view->dataplanes) {
    policy::ProxyPolicies policies(*view, *dataplane, &cache);
    const policy::MatchedPolicies& matched = policies.of(kMeshTrafficPermission);
    for (const policy::SelectableInbound& inbound : policy::selectable_inbounds(*view, *dataplane)) {
      if (inbound.of_gateway) {
        continue;
      }
      auto rules = matched.from.find(inbound.key);
      bool lets_in = rules != matched.from.end()
                         ? lets_somebody_in(*rules->second)
                         : policy::select_for_inbound(view->policies_of(kTrafficPermission), inbound.tags) != nullptr;
      reachable[std::string(mesh::tag(inbound.tags, mesh::kServiceTag))] |= lets_in;
    }
  }
  return reachable;
}

void warn_of_lonely_services(const mesh::MeshUpdate& update, const Limits& limits, Plan& plan) {
  const auto before = reachable_services(update.previous.get());
  for (const auto& [service, lets_in] : reachable_services(update.view.get())) {
    auto known = before.find(service);
    bool was_reachable = known == before.end() || known->second;
    if (!lets_in && was_reachable) {
      warn(plan, limits, fmt::format("no client could reach the service \"{}\" any more: nothing permits it", service));
    }
  }
}

}  // namespace

std::vector<std::string> without_effect(const model::ResourcePtr& policy, const MeshView& view) {
  std::vector<std::string> told;
  tell_of_no_selection(*policy, view, told);
  tell_of_unknown_services(policy, view, told);
  return told;
}

void add_warnings(const mesh::MeshUpdate& update, const Limits& limits, Plan& plan) {
  if (update.view == nullptr) {
    return;
  }
  bool permissions_change = update.change.mesh;
  for (const auto& [before, after] : update.change.policies) {
    const std::string_view type = (after != nullptr ? after : before)->type->name;
    permissions_change |= type == kMeshTrafficPermission || type == kTrafficPermission;
    if (after != nullptr && after->type->is_target_ref) {
      for (std::string& text : without_effect(after, *update.view)) {
        warn(plan, limits, std::move(text));
      }
    }
  }
  if (permissions_change) {
    warn_of_lonely_services(update, limits, plan);
  }
}

}  // namespace kuma::plan
