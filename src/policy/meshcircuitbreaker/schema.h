#pragma once

#include "absl/status/status.h"
#include "base/json.h"
#include "model/resource_type.h"

namespace kuma::policy {

// MeshCircuitBreaker: limits of connections, and outlier detection. Its resource type, with schema and validator.
model::ResourceType mesh_circuit_breaker_type();

// What is wrong with settings that were merged (policy/target_ref_schema.h).
absl::Status check_mesh_circuit_breaker_conf(const json::value& conf);

}  // namespace kuma::policy
