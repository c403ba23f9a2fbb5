#pragma once

#include "policy/matched.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::meshtcproute {

// Makes the listeners, clusters and endpoints of outbounds whose connections are routed by MeshTCPRoutes, in place of those of
// TrafficRoutes (spec/policy-routes.md §B.2). A MeshHTTPRoute for an HTTP service goes first.
void apply(const ProxyPolicies& policies, ProxyResources& resources);

}  // namespace kuma::policy::meshtcproute
