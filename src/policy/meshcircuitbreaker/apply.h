#pragma once

#include "policy/matched.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::meshcircuitbreaker {

// Limits what clusters carry at a time, and ejects instances that fail (README.md).
void apply(const ProxyPolicies& policies, ProxyResources& resources);

}  // namespace kuma::policy::meshcircuitbreaker
