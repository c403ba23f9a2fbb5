#pragma once

#include "model/resource_type.h"

namespace kuma::policy {

// MeshRateLimit: local limits of requests and connections. Its resource type, with schema and validator.
model::ResourceType mesh_rate_limit_type();

}  // namespace kuma::policy
