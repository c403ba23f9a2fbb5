#pragma once

#include <span>
#include <vector>

#include "mesh/protocol.h"
#include "model/resource_type.h"

namespace kuma::policy {

class ProxyPolicies;   // what matched a proxy: policy/matched.h
class EgressPolicies;  // what matched a service at an egress: policy/egress.h
class ProxyResources;  // the Envoy resources being made for it: policy/proxy_resources.h

// One targetRef policy: a folder of its own under src/policy, and one line in policies.cc.
//
// The engine knows policies only through this: matching and rules are the same for all, `apply` alone knows what the
// merged settings mean in Envoy's configuration.
struct Policy {
  model::ResourceType type;  // with schema and validator
  // Changes the proxy's resources. Pure. Null: stored and validated, without effect on proxies.
  void (*apply)(const ProxyPolicies& policies, ProxyResources& resources) = nullptr;
  // The same at an egress, for the services of one mesh. Null: the type has no effect there.
  void (*apply_egress)(const EgressPolicies& policies, ProxyResources& resources) = nullptr;
  // What the validator refuses would make no usable configuration. One that is stored all the same (an older peer let it in)
  // is left out on each proxy, with a Problem that says why. False: such a policy is applied as far as it makes sense.
  bool leaves_out_invalid = false;
  // Whether it makes all outbounds of the proxy to services that speak `protocol`, so that nobody else needs to. Null: no.
  bool (*makes_outbounds)(const ProxyPolicies& policies, mesh::Protocol protocol) = nullptr;
};

// All targetRef policies in the fixed order in which they are applied (spec/policy-matching.md §6.1).
const std::vector<Policy>& policies();

// Their resource types, for the Registry.
std::vector<model::ResourceType> policy_types();

}  // namespace kuma::policy
