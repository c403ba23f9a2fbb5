#include "policy/egress.h"

#include <algorithm>

#include "base/status.h"
#include "fmt/format.h"
#include "policy/matched.h"

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

// A policy that can be used, and whom its targetRef selects.
struct Candidate {
  TargetRef target;
  model::ResourcePtr policy;
};

// The widest target first, then by name.
std::vector<Candidate> candidates_of(const mesh::ResourceList& policies, std::vector<Problem>& problems) {
  std::vector<Candidate> candidates;
  for (const model::ResourcePtr& policy : policies) {
    if (std::string refusal = refusal_of(*policy); !refusal.empty()) {
      problems.push_back({ref_of(*policy), std::move(refusal)});
    } else if (auto target = parse_target_ref(policy->spec, "targetRef")) {
      candidates.push_back({*std::move(target), policy});
    }
  }
  std::ranges::stable_sort(candidates, {}, [](const Candidate& candidate) { return candidate.target.kind; });
  return candidates;
}

bool is_for_everybody(const TargetRef& target) {
  const auto subset = subset_of(target);
  return subset && subset->empty();
}

// Whether the policy is for the service.
bool add_items(const model::ResourceType& type, const Candidate& candidate, const EgressService& service,
               std::vector<RuleItem>& items) {
  const bool selected = type.has_from && selects_tags(candidate.target, service.tags);
  if (selected) {
    for (const json::value& item : list_of(candidate.policy->spec, "from")) {
      if (auto from = parse_target_ref(item, "targetRef")) {
        items.push_back({*std::move(from), conf_of(item), candidate.policy});
      }
    }
  }
  const size_t before = items.size();
  if (type.has_to && is_for_everybody(candidate.target)) {
    for (const json::value& item : list_of(candidate.policy->spec, "to")) {
      if (auto to = parse_target_ref(item, "targetRef"); to && selects_tags(*to, service.tags)) {
        items.push_back({TargetRef{}, conf_of(item), candidate.policy});
      }
    }
  }
  return selected || items.size() > before;
}

}  // namespace

std::string EgressPolicies::chain_name(const EgressService& service) const {
  return fmt::format("{}_{}", service.name, view_.name);
}

std::string EgressPolicies::cluster_name(const EgressService& service) const {
  return fmt::format("{}:{}", view_.name, service.name);
}

std::vector<EgressRules> EgressPolicies::match(const model::ResourceType& type, std::vector<Problem>& problems) const {
  const std::vector<Candidate> candidates = candidates_of(view_.policies_of(type.name), problems);
  std::vector<EgressRules> all;
  for (const EgressService& service : services_) {
    EgressRules& matched = all.emplace_back();
    matched.any = !view_.policies_of(type.name).empty();
    std::vector<RuleItem> items;
    for (const Candidate& candidate : candidates) {
      if (add_items(type, candidate, service, items)) {
        matched.policies.push_back(candidate.policy);
      }
    }
    auto rules = build_rules(items);
    if (rules.ok()) {
      matched.rules = *std::move(rules);
    } else {
      matched.rules = std::make_shared<const Rules>();
      problems.push_back({ref_of(*matched.policies.back()), std::string(message_of(rules.status()))});
    }
  }
  return all;
}

}  // namespace kuma::policy
