#include "policy/legacy.h"

#include <algorithm>
#include <array>

#include "base/status.h"
#include "mesh/v1alpha1/selector.pb.h"

namespace kuma::policy {
namespace {

using mesh::select_best;
using mesh::selectors_of;
using mesh::v1alpha1::Selector;

Rank rank_of_first_source(const model::Resource& policy) {
  Rank rank;
  if (const auto sources = selectors_of(policy, SelectorList::Sources); !sources.empty()) {
    for (const auto& [key, value] : sources.front()->match()) {
      ++(value == "*" ? rank.wildcard : rank.exact);
    }
  }
  return rank;
}

}  // namespace

bool OutboundPolicies::better(const Candidate& a, const Candidate& b) {
  if (a.rank != b.rank) {
    return a.rank > b.rank;
  }
  auto created_a = (*a.policy)->meta.creation_time, created_b = (*b.policy)->meta.creation_time;
  return created_a != created_b ? created_a > created_b : a.order < b.order;
}

OutboundPolicies::OutboundPolicies(const mesh::ResourceList& policies, const mesh::DataplaneView& dataplane) {
  for (size_t i = 0; i < policies.size(); ++i) {
    const model::ResourcePtr& policy = policies[i];
    auto source = best_rank(*policy, SelectorList::Sources, dataplane.tag_sets);
    if (!source) {
      continue;
    }
    for (const Selector* selector : selectors_of(*policy, SelectorList::Destinations)) {
      auto service = selector->match().find(std::string(mesh::kServiceTag));
      bool has_service = service != selector->match().end();
      if (selector->match().size() != (has_service ? 1U : 0U)) {
        continue;  // a destination is known by its service alone
      }
      bool is_exact = has_service && service->second != "*";
      Rank destination{is_exact ? 1 : 0, has_service && !is_exact ? 1 : 0};
      Candidate candidate{&policy, *source + destination, i};
      if (is_exact) {
        auto [entry, is_new] = by_service_.try_emplace(service->second, candidate);
        if (!is_new && better(candidate, entry->second)) {
          entry->second = candidate;
        }
      } else if (!any_ || better(candidate, *any_)) {
        any_ = candidate;
      }
    }
  }
}

const model::ResourcePtr* OutboundPolicies::select(std::string_view service) const {
  auto exact = by_service_.find(to_absl(service));
  if (exact == by_service_.end()) {
    return any_ ? any_->policy : nullptr;
  }
  return any_ && better(*any_, exact->second) ? any_->policy : exact->second.policy;
}

const model::ResourcePtr* select_for_inbound(const mesh::ResourceList& policies, const mesh::Tags& tags) {
  return select_best(policies, SelectorList::Destinations, {tags});
}

mesh::ResourceList all_for_inbound(const mesh::ResourceList& policies, const mesh::Tags& tags) {
  struct Matched {
    Rank rank;  // of the first source, whoever it is for
    model::ResourcePtr policy;
  };
  std::vector<Matched> matched;
  for (const auto& policy : policies) {
    if (best_rank(*policy, SelectorList::Destinations, {tags})) {
      matched.push_back({rank_of_first_source(*policy), policy});
    }
  }
  std::ranges::stable_sort(matched, [](const Matched& a, const Matched& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.policy->meta.creation_time > b.policy->meta.creation_time;
  });
  mesh::ResourceList list;
  for (Matched& one : matched) {
    list.push_back(std::move(one.policy));
  }
  return list;
}

const model::ResourcePtr* select_for_dataplane(const mesh::ResourceList& policies, const mesh::DataplaneView& dataplane) {
  return select_best(policies, SelectorList::Selectors, dataplane.tag_sets);
}

LegacyReach legacy_reach(std::string_view type) {
  static constexpr std::array<std::string_view, 6> kOutbound = {"TrafficRoute",   "TrafficLog", "HealthCheck",
                                                                "CircuitBreaker", "Retry",      "Timeout"};
  static constexpr std::array<std::string_view, 2> kInbound = {"TrafficPermission", "FaultInjection"};
  static constexpr std::array<std::string_view, 2> kSelected = {"TrafficTrace", "ProxyTemplate"};
  LegacyReach reach;
  reach.outbound = std::ranges::find(kOutbound, type) != kOutbound.end() || type == "RateLimit";
  reach.inbound = std::ranges::find(kInbound, type) != kInbound.end() || type == "RateLimit";
  reach.selected = std::ranges::find(kSelected, type) != kSelected.end();
  reach.known = reach.outbound || reach.inbound || reach.selected;
  return reach;
}

bool has_destination(const model::Resource& policy, std::string_view service) {
  mesh::Tags tags{{std::string(mesh::kServiceTag), std::string(service)}};
  return best_rank(policy, SelectorList::Destinations, {tags}).has_value();
}

}  // namespace kuma::policy
