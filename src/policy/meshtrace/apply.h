#pragma once

#include "policy/matched.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::meshtrace {

// Traces the HTTP of inbounds, outbounds and gateway listeners, and adds the collector's cluster (README.md).
void apply(const ProxyPolicies& policies, ProxyResources& resources);

}  // namespace kuma::policy::meshtrace
