#pragma once

#include "absl/status/status.h"
#include "base/json.h"
#include "model/resource_type.h"

namespace kuma::policy {

// MeshRateLimit: local limits of requests and connections. Its resource type, with schema and validator.
model::ResourceType mesh_rate_limit_type();

// What is wrong with settings that were merged (policy/target_ref_schema.h).
absl::Status check_mesh_rate_limit_conf(const json::value& conf);

}  // namespace kuma::policy
