#pragma once

#include "model/resource_type.h"

namespace kuma::policy {

// MeshLoadBalancingStrategy: balancer, locality awareness and failover between zones. Its resource type, with schema and validator.
model::ResourceType mesh_load_balancing_strategy_type();

}  // namespace kuma::policy
