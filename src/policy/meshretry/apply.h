#pragma once

#include "policy/matched.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::meshretry {

// Says on the routes of outbounds which requests are tried again, and on their TCP proxies how often a connection is
// (README.md).
void apply(const ProxyPolicies& policies, ProxyResources& resources);

}  // namespace kuma::policy::meshretry
