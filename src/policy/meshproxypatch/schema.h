#pragma once

#include "model/resource_type.h"

namespace kuma::policy {

// MeshProxyPatch: changes of Envoy's configuration as users write them. Its resource type, with schema and validator.
model::ResourceType mesh_proxy_patch_type();

}  // namespace kuma::policy
