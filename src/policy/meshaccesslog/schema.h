#pragma once

#include "model/resource_type.h"

namespace kuma::policy {

// MeshAccessLog: where access logs go and in which format. Its resource type, with schema and validator.
model::ResourceType mesh_access_log_type();

}  // namespace kuma::policy
