#pragma once

#include <string>
#include <vector>

#include "mesh/mesh_view.h"

namespace kuma::xds {

// A listener of a builtin gateway that other meshes may use (MeshGateway.conf.listeners[].crossMesh), on one of the
// dataplanes that run the gateway.
struct CrossMeshListener {
  mesh::Tags tags;  // of the dataplane's gateway, the MeshGateway and the listener: the narrower wins
  std::string address;
  uint32_t port = 0;
};

// All of a mesh, by dataplane, then in the order of the gateway's listeners. Cheap when the mesh has no MeshGateway.
std::vector<CrossMeshListener> cross_mesh_listeners(const mesh::MeshView& view);

}  // namespace kuma::xds
