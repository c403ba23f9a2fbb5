#include "policy/egress.h"

#include <algorithm>

#include "base/status.h"
#include "fmt/format.h"

namespace kuma::policy {
namespace {

const json::array& list_of(const json::value& object, std::string_view member) {
  static const json::array kNone;
  const json::value* found = find(object, member);
  return found != nullptr && found->is_array() ? found->get_array() : kNone;
}

json::value conf_of(const json::value& item) {
  const json::value* conf = find(item, "default");
  return conf == nullptr ? json::value(json::object()) : *conf;
}

}  // namespace

std::string EgressPolicies::chain_name(const EgressService& service) const {
  return fmt::format("{}_{}", service.name, view_.name);
}

std::string EgressPolicies::cluster_name(const EgressService& service) const {
  return fmt::format("{}:{}", view_.name, service.name);
}

EgressRules EgressPolicies::match(const model::ResourceType& type, const EgressService& service,
                                  std::vector<Problem>& problems) const {
  EgressRules matched;
  std::vector<std::pair<TargetRef, model::ResourcePtr>> sorted;
  for (const model::ResourcePtr& policy : view_.policies_of(type.name)) {
    matched.any = true;
    if (auto target = parse_target_ref(policy->spec, "targetRef")) {
      sorted.emplace_back(*std::move(target), policy);
    }
  }
  std::ranges::stable_sort(sorted, {}, [](const auto& entry) { return entry.first.kind; });
  std::vector<RuleItem> items;
  for (const auto& [target, policy] : sorted) {
    size_t before = items.size();
    if (type.has_from && selects_tags(target, service.tags)) {
      matched.policies.push_back(policy);
      for (const json::value& item : list_of(policy->spec, "from")) {
        if (auto from = parse_target_ref(item, "targetRef")) {
          items.push_back({*std::move(from), conf_of(item), policy});
        }
      }
    }
    if (type.has_to) {
      for (const json::value& item : list_of(policy->spec, "to")) {
        if (auto to = parse_target_ref(item, "targetRef"); to && selects_tags(*to, service.tags)) {
          items.push_back({target, conf_of(item), policy});
        }
      }
      if (items.size() > before) {
        matched.policies.push_back(policy);
      }
    }
  }
  auto rules = build_rules(items);
  if (rules.ok()) {
    matched.rules = *std::move(rules);
  } else {
    matched.rules = std::make_shared<const Rules>();
    problems.push_back({ref_of(*matched.policies.back()), std::string(message_of(rules.status()))});
  }
  return matched;
}

}  // namespace kuma::policy
