#pragma once

#include "model/resource_type.h"

namespace kuma::policy {

// MeshHealthCheck: active health checks of destinations. Its resource type, with schema and validator.
model::ResourceType mesh_health_check_type();

}  // namespace kuma::policy
