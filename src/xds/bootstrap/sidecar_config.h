#pragma once

#include "base/json.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"

namespace kuma::bootstrap {

// What kuma-dp itself has to know (`kumaSidecarConfiguration`): whether traffic is redirected to the proxy, and which
// applications' metrics it collects, the dataplane's settings over the mesh's. Null arguments: a zone proxy, a mesh that is
// not there.
json::object build_sidecar_config(const mesh::v1alpha1::Dataplane* dataplane, const mesh::v1alpha1::Mesh* mesh);

}  // namespace kuma::bootstrap
