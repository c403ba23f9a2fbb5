#pragma once

#include "absl/status/status.h"
#include "base/json.h"
#include "model/resource_type.h"

namespace kuma::policy {

// MeshRetry: which requests and connections are tried again, how often and how fast. Its resource type, with schema and validator.
model::ResourceType mesh_retry_type();

// What is wrong with settings that were merged (policy/target_ref_schema.h).
absl::Status check_mesh_retry_conf(const json::value& conf);

}  // namespace kuma::policy
