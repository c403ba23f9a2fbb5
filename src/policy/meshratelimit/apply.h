#pragma once

#include "policy/matched.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::meshratelimit {

// Limits how many requests and connections an inbound takes (README.md).
void apply(const ProxyPolicies& policies, ProxyResources& resources);

}  // namespace kuma::policy::meshratelimit
