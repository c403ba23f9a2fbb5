#pragma once

#include "policy/matched.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::meshtrafficpermission {

// Replaces, on the mTLS chains of the inbounds that a permission selects, whom they let in (README.md).
void apply(const ProxyPolicies& policies, ProxyResources& resources);

}  // namespace kuma::policy::meshtrafficpermission
