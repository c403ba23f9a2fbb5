#pragma once

#include "model/resource_type.h"

namespace kuma::policy {

// MeshRetry: which requests and connections are tried again, how often and how fast. Its resource type, with schema and validator.
model::ResourceType mesh_retry_type();

}  // namespace kuma::policy
