#pragma once

#include "policy/matched.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::meshproxypatch {

// Lays what users write over what was generated, after all other policies (README.md).
void apply(const ProxyPolicies& policies, ProxyResources& resources);

}  // namespace kuma::policy::meshproxypatch
