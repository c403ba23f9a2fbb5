#include "xds/gen/gateway_policies.h"

#include <optional>
#include <tuple>

#include "mesh/v1alpha1/selector.pb.h"

namespace kuma::xds::gateway {
namespace {

std::optional<policy::Rank> first_destination_rank(const model::Resource& policy, const mesh::Tags& destination) {
  for (const auto* selector : mesh::selectors_of(policy, policy::SelectorList::Destinations)) {
    if (auto rank = policy::match_rank(selector->match(), destination)) {
      return rank;
    }
  }
  return std::nullopt;
}

template <typename Member>
model::ResourcePtr choose(const std::vector<const DestinationPolicies*>& all, Member member) {
  model::ResourcePtr best;
  auto rank = [](const model::Resource& policy) {
    return std::tuple(!policy::has_destination(policy, "*"), policy.meta.creation_time, policy.meta.name);
  };
  for (const DestinationPolicies* policies : all) {
    const model::ResourcePtr& policy = policies->*member;
    if (policy != nullptr && (best == nullptr || rank(*policy) < rank(*best))) {
      best = policy;
    }
  }
  return best;
}

}  // namespace

ListenerPolicies::ListenerPolicies(const mesh::ResourceList& policies, const mesh::Tags& listener) {
  for (const model::ResourcePtr& policy : policies) {
    if (auto rank = policy::best_rank(*policy, policy::SelectorList::Sources, {listener})) {
      candidates_.push_back({&policy, *rank});
    }
  }
}

model::ResourcePtr ListenerPolicies::select(const mesh::Tags& destination) const {
  const Candidate* best = nullptr;
  policy::Rank best_rank;
  for (const Candidate& candidate : candidates_) {
    auto rank = first_destination_rank(**candidate.policy, destination);
    if (!rank) {
      continue;
    }
    const policy::Rank both = *rank + candidate.source;
    if (best == nullptr || both > best_rank ||
        (both == best_rank && (*candidate.policy)->meta.creation_time > (*best->policy)->meta.creation_time)) {
      best = &candidate;
      best_rank = both;
    }
  }
  return best == nullptr ? nullptr : *best->policy;
}

HostPolicies::HostPolicies(const mesh::MeshView& view, const mesh::Tags& listener)
    : timeouts_(view.policies_of("Timeout"), listener),
      retries_(view.policies_of("Retry"), listener),
      circuit_breakers_(view.policies_of("CircuitBreaker"), listener),
      health_checks_(view.policies_of("HealthCheck"), listener),
      rate_limits_(view.policies_of("RateLimit"), listener) {}

DestinationPolicies HostPolicies::select(const mesh::Tags& destination) const {
  return {.timeout = timeouts_.select(destination),
          .retry = retries_.select(destination),
          .circuit_breaker = circuit_breakers_.select(destination),
          .health_check = health_checks_.select(destination),
          .rate_limit = rate_limits_.select(destination)};
}

DestinationPolicies policies_of_rule(const Host& host, const HttpRule& rule) {
  std::vector<const DestinationPolicies*> all;
  for (const auto& backend : rule.backends()) {
    auto found = host.destinations.find(mesh::to_tags(backend.destination()));
    if (found != host.destinations.end()) {
      all.push_back(&found->second.policies);
    }
  }
  return {.timeout = choose(all, &DestinationPolicies::timeout),
          .retry = choose(all, &DestinationPolicies::retry),
          .circuit_breaker = nullptr,
          .health_check = nullptr,
          .rate_limit = choose(all, &DestinationPolicies::rate_limit)};
}

}  // namespace kuma::xds::gateway
