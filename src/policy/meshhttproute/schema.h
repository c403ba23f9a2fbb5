#pragma once

#include "model/resource_type.h"

namespace kuma::policy {

// MeshHTTPRoute: where requests go, by path, method, headers and query. Its resource type, with schema and validator.
model::ResourceType mesh_http_route_type();

}  // namespace kuma::policy
