#pragma once

#include <vector>

#include "model/resource.h"

namespace kuma::mesh::v1alpha1 {
class Mesh;
}

namespace kuma::manager {

// Writes into a Mesh what is stored with it: the settings of its Prometheus backends (spec/resources.md §6.1). A backend
// whose conf can't be read is left to validation.
void set_mesh_defaults(mesh::v1alpha1::Mesh& mesh);

// The policies that come with a new mesh unless its skipCreatingInitialPolicies says otherwise, owned by it (§6.2).
std::vector<model::Resource> default_policies(const model::Registry& registry, const model::Resource& mesh);

}  // namespace kuma::manager
