#pragma once

#include "policy/matched.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::meshtrafficpermission {

// Replaces, on the mTLS chains of the inbounds that a permission selects, whom they let in (README.md).
void apply(const ProxyPolicies& policies, ProxyResources& resources);
// The same on the chains of external services at an egress.
void apply_egress(const EgressPolicies& policies, ProxyResources& resources);

}  // namespace kuma::policy::meshtrafficpermission
