#pragma once

#include <vector>

#include "mesh/mesh_view.h"
#include "policy/legacy.h"
#include "xds/gen/gateway.h"

namespace kuma::xds::gateway {

// How a gateway's policies with selectors are chosen (spec/legacy-policies.md §16): by the tags of a listener among sources, and
// of what a route leads to among destinations, all of them, not the service alone as for other dataplanes.

// The policies of one type that a listener is a source of. The list has to outlive it.
class ListenerPolicies {
 public:
  ListenerPolicies(const mesh::ResourceList& policies, const mesh::Tags& listener);
  model::ResourcePtr select(const mesh::Tags& destination) const;  // null: none

 private:
  struct Candidate {
    const model::ResourcePtr* policy = nullptr;
    policy::Rank source;
  };
  std::vector<Candidate> candidates_;
};

// Of all types.
class HostPolicies {
 public:
  HostPolicies(const mesh::MeshView& view, const mesh::Tags& listener);
  DestinationPolicies select(const mesh::Tags& destination) const;

 private:
  ListenerPolicies timeouts_;
  ListenerPolicies retries_;
  ListenerPolicies circuit_breakers_;
  ListenerPolicies health_checks_;
  ListenerPolicies rate_limits_;
};

// The policies of a rule with several destinations: of theirs the one for everything counts first, then the oldest. Only those
// that routes have: timeout, retry and rate limit.
DestinationPolicies policies_of_rule(const Host& host, const HttpRule& rule);

}  // namespace kuma::xds::gateway
