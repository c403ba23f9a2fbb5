#include "xds/gen/cross_mesh.h"

#include <algorithm>

#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/gateway.pb.h"
#include "policy/legacy.h"

namespace kuma::xds {

using mesh::v1alpha1::Dataplane;
using mesh::v1alpha1::MeshGateway;

std::vector<CrossMeshListener> cross_mesh_listeners(const mesh::MeshView& view) {
  std::vector<CrossMeshListener> found;
  const mesh::ResourceList& gateways = view.policies_of("MeshGateway");
  bool any = std::ranges::any_of(gateways, [](const model::ResourcePtr& gateway) {
    return std::ranges::any_of(gateway->as<MeshGateway>().conf().listeners(), [](const auto& one) { return one.crossmesh(); });
  });
  if (!any) {
    return found;
  }
  for (const auto& [key, dataplane] : view.dataplanes) {
    const auto& networking = dataplane->resource->as<Dataplane>().networking();
    if (!networking.has_gateway() || networking.gateway().type() != Dataplane::Networking::Gateway::BUILTIN) {
      continue;
    }
    const model::ResourcePtr* resource = policy::select_for_dataplane(gateways, *dataplane);
    if (resource == nullptr) {
      continue;
    }
    const auto& gateway = (*resource)->as<MeshGateway>();
    for (const auto& listener : gateway.conf().listeners()) {
      if (listener.crossmesh()) {
        mesh::Tags tags = mesh::to_tags(listener.tags());  // insert keeps what is there
        tags.insert(gateway.tags().begin(), gateway.tags().end());
        tags.insert(networking.gateway().tags().begin(), networking.gateway().tags().end());
        found.push_back({std::move(tags), dataplane->address, listener.port()});
      }
    }
  }
  return found;
}

}  // namespace kuma::xds
