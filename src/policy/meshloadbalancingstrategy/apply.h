#pragma once

#include "policy/egress.h"
#include "policy/matched.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::meshloadbalancingstrategy {

// How requests are spread over the instances of a destination, and over zones (README.md).
void apply(const ProxyPolicies& policies, ProxyResources& resources);
// At an egress only the order of zones matters: connections pass through, and who is near to whom is not known.
void apply_egress(const EgressPolicies& policies, ProxyResources& resources);

}  // namespace kuma::policy::meshloadbalancingstrategy
