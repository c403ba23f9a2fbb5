#pragma once

#include "model/resource_type.h"

namespace kuma::policy {

// MeshFaultInjection: aborts, delays and slow answers on purpose. Its resource type, with schema and validator.
model::ResourceType mesh_fault_injection_type();

}  // namespace kuma::policy
