#pragma once

#include "policy/matched.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::meshtimeout {

// How long connections may take and idle, and requests last: of what clients send to the proxy, of what it sends, and of what
// a builtin gateway passes on (spec/policy-traffic.md §3.3).
void apply(const ProxyPolicies& policies, ProxyResources& resources);

}  // namespace kuma::policy::meshtimeout
