#pragma once

#include <string_view>

#include "api/deps.h"

namespace kuma::api {

// The view of a mesh to answer questions from: the engine's, or, where no engine runs, one made from the store for this
// question. Null when the mesh does not exist.
mesh::MeshViewPtr inspect_view(const ApiDeps& deps, std::string_view mesh);

}  // namespace kuma::api
