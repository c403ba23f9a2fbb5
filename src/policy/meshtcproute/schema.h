#pragma once

#include "model/resource_type.h"

namespace kuma::policy {

// MeshTCPRoute: where connections go. Its resource type, with schema and validator.
model::ResourceType mesh_tcp_route_type();

}  // namespace kuma::policy
