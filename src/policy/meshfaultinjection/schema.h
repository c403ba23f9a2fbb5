#pragma once

#include "absl/status/status.h"
#include "base/json.h"
#include "model/resource_type.h"

namespace kuma::policy {

// MeshFaultInjection: aborts, delays and slow answers on purpose. Its resource type, with schema and validator.
model::ResourceType mesh_fault_injection_type();

// What is wrong with settings that were merged (policy/target_ref_schema.h).
absl::Status check_mesh_fault_injection_conf(const json::value& conf);

}  // namespace kuma::policy
