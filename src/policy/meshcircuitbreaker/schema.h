#pragma once

#include "model/resource_type.h"

namespace kuma::policy {

// MeshCircuitBreaker: limits of connections, and outlier detection. Its resource type, with schema and validator.
model::ResourceType mesh_circuit_breaker_type();

}  // namespace kuma::policy
