#pragma once

#include "model/resource_type.h"

namespace kuma::policy {

// MeshTrafficPermission: who may connect. Its resource type, with schema and validator.
model::ResourceType mesh_traffic_permission_type();

}  // namespace kuma::policy
