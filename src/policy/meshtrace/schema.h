#pragma once

#include "model/resource_type.h"

namespace kuma::policy {

// MeshTrace: where traces go, how many and with which tags. Its resource type, with schema and validator.
model::ResourceType mesh_trace_type();

}  // namespace kuma::policy
