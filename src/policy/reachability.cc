#include "policy/reachability.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "base/status.h"
#include "mesh/reach.h"
#include "policy/provenance.h"

namespace kuma::policy {
namespace {

constexpr std::string_view kType = "MeshTrafficPermission";

std::shared_ptr<const mesh::ResourceList> permissions_of(const mesh::MeshView& view) {
  auto found = view.policies.find(kType);
  return found == view.policies.end() ? nullptr : found->second;
}

// The permissions by what they select: those of one service by its name, the others for all to look at.
struct Permissions {
  struct Entry {
    std::pair<size_t, size_t> order;  // the widest target first, then by name
    TargetRef target;
    model::ResourcePtr policy;
  };
  std::vector<Entry> of_any;
  std::map<std::string, std::vector<Entry>, std::less<>> by_service;

  explicit Permissions(const mesh::ResourceList& all) {
    size_t order = 0;
    for (const auto& policy : all) {
      auto target = parse_target_ref(policy->spec, "targetRef");
      if (!target) {
        continue;
      }
      const auto kind = static_cast<size_t>(target->kind);
      std::erase_if(target->tags, [](const auto& tag) { return !mesh::is_reach_tag(tag.first); });
      bool by_name = target->kind == TargetKind::MeshService || target->kind == TargetKind::MeshServiceSubset;
      auto& list = by_name ? by_service[target->name] : of_any;
      list.push_back({{kind, order++}, *std::move(target), policy});
    }
  }

  // In order of precedence.
  mesh::ResourceList matching(const std::string& service, const mesh::Tags& tags) const {
    std::vector<const Entry*> matching;
    auto add = [&](const std::vector<Entry>& entries) {
      for (const Entry& entry : entries) {
        if (selects_tags(entry.target, tags)) {
          matching.push_back(&entry);
        }
      }
    };
    add(of_any);
    if (auto found = by_service.find(service); found != by_service.end()) {
      add(found->second);
    }
    std::ranges::sort(matching, {}, [](const Entry* entry) { return entry->order; });
    mesh::ResourceList policies;
    for (const Entry* entry : matching) {
      policies.push_back(entry->policy);
    }
    return policies;
  }
};

}  // namespace

ReachGraph::ReachGraph(const mesh::MeshView& view, RuleCache* cache)
    : services_(view.reach_tags), permissions_(permissions_of(view)) {
  static const mesh::ResourceList kNone;
  const Permissions permissions(permissions_ == nullptr ? kNone : *permissions_);
  std::map<mesh::ResourceList, RulesPtr> made;
  for (const auto& [service, kept] : *services_) {
    mesh::Tags tags = kept;
    tags.emplace(mesh::kServiceTag, service);
    mesh::ResourceList policies = permissions.matching(service, tags);
    if (policies.empty()) {
      continue;
    }
    auto [entry, is_new] = made.try_emplace(policies);
    if (is_new) {
      auto make = [&] {
        std::vector<RuleItem> items;
        for (const auto& policy : policies) {
          std::ranges::move(rule_items(policy, "from"), std::back_inserter(items));
        }
        return items;
      };
      auto rules = cache == nullptr ? build_rules(make()) : cache->get(fmt::format("{}/from:", kType), policies, make);
      entry->second = rules.ok() ? *std::move(rules) : nullptr;  // too many of them, which the servers' proxies report
    }
    if (entry->second != nullptr && !entry->second->empty()) {
      rules_.emplace(service, entry->second);
    }
  }
}

const Rules* ReachGraph::rules_of(std::string_view service) const {
  auto found = rules_.find(to_absl(service));
  return found == rules_.end() ? nullptr : found->second.get();
}

bool ReachGraph::is_of(const mesh::MeshView& view) const {
  return services_ == view.reach_tags && permissions_ == permissions_of(view);
}

ReachableServices::ReachableServices(const ReachGraph& graph, const std::vector<mesh::Tags>& from) : graph_(graph) {
  for (const mesh::Tags& tags : from) {
    Subset& subset = from_.emplace_back();
    for (const auto& [key, value] : tags) {
      subset.push_back({key, value, false});
    }
  }
}

bool ReachableServices::contains(const mesh::Tags& destination) {
  if (destination.contains(mesh::kMeshTag)) {
    return true;
  }
  const Rules* rules = graph_.rules_of(mesh::tag(destination, mesh::kServiceTag));
  if (rules == nullptr) {
    return false;
  }
  auto [entry, is_new] = known_.try_emplace(rules, false);
  if (is_new) {
    entry->second = allows(*rules);
  }
  return entry->second;
}

bool ReachableServices::allows(const Rules& rules) const {
  return std::ranges::any_of(from_, [&](const Subset& from) {
    const Rule* rule = rules.find(from);
    const json::value* action = rule == nullptr ? nullptr : find(rule->conf->value, "action");
    if (action == nullptr || !action->is_string()) {
      return false;
    }
    std::string_view value = action->get_string();
    return value == "Allow" || value == "AllowWithShadowDeny";
  });
}

}  // namespace kuma::policy
