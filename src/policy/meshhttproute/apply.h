#pragma once

#include "policy/matched.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::meshhttproute {

// Makes the listeners, clusters and endpoints of outbounds whose requests are routed by MeshHTTPRoutes, in place of those of
// TrafficRoutes (spec/policy-routes.md §A.4).
void apply(const ProxyPolicies& policies, ProxyResources& resources);

// Those to HTTP services: any route for the proxy is enough.
bool makes_outbounds(const ProxyPolicies& policies, mesh::Protocol protocol);

// Whether a route of the proxy is for this service.
bool has_rules_for(const ProxyPolicies& policies, const std::string& service);

}  // namespace kuma::policy::meshhttproute
