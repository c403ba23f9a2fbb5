#pragma once

#include "policy/matched.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::meshloadbalancingstrategy {

// How requests are spread over the instances of a destination, and over zones (README.md).
void apply(const ProxyPolicies& policies, ProxyResources& resources);

}  // namespace kuma::policy::meshloadbalancingstrategy
