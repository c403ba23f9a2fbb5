#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mesh/endpoints.h"
#include "mesh/mesh_view.h"

namespace kuma::mesh {

// Listeners of builtin gateways that other meshes may use (MeshGateway.conf.listeners[].crossMesh; spec/gateway.md §7).

// One of them, on one of the dataplanes that run the gateway.
struct CrossMeshListener {
  Tags tags;  // of the dataplane's gateway, the MeshGateway and the listener: the narrower wins
  std::string address;
  uint32_t port = 0;
};

// Whether any of these MeshGateways has one.
bool has_cross_mesh_listener(const ResourceList& gateways);
// Appends those of a dataplane: of the most specific of the MeshGateways for it, in the order of its listeners.
void add_cross_mesh_listeners(const DataplaneView& dataplane, const ResourceList& gateways,
                              std::vector<CrossMeshListener>& listeners);
// All of a mesh, by dataplane. Cheap when it has none.
std::vector<CrossMeshListener> cross_mesh_listeners(const MeshView& view);

// Certificates of gateways may lie in files of the control plane's host. A view holds those among its secrets, under names that no
// secret can have; one that can't be read is not there.
std::string secret_of_file(std::string_view path);
// The files that the gateways name.
std::set<std::string> certificate_files(const ResourceList& gateways);

// By the gateway's service. What other zones have comes by way of their ingresses, or of our egresses as `inputs` says.
GatewayServices build_gateway_services(const std::vector<CrossMeshListener>& listeners, const ZoneInputs& inputs);

}  // namespace kuma::mesh
