#pragma once

#include "model/resource_type.h"

namespace kuma::policy {

// MeshTimeout: timeouts of connections, requests and streams. Its resource type, with schema and validator.
model::ResourceType mesh_timeout_type();

}  // namespace kuma::policy
