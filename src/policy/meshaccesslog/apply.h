#pragma once

#include "policy/matched.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::meshaccesslog {

// Adds a logger for each backend to the listeners that the rules are for, and the clusters of OpenTelemetry collectors
// (README.md).
void apply(const ProxyPolicies& policies, ProxyResources& resources);

}  // namespace kuma::policy::meshaccesslog
