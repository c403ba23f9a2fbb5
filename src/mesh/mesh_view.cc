#include "mesh/mesh_view.h"

#include "mesh/trust.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"

namespace kuma::mesh {

std::string identifying_service(const DataplaneView& dataplane) {
  const auto& networking = dataplane.resource->as<v1alpha1::Dataplane>().networking();
  std::string first;
  const auto consider = [&](const google::protobuf::Map<std::string, std::string>& tags) {
    const auto found = tags.find(std::string(kServiceTag));
    if (found != tags.end() && (first.empty() || found->second < first)) {
      first = found->second;
    }
  };
  for (const auto& inbound : networking.inbound()) {
    consider(inbound.tags());
  }
  consider(networking.gateway().tags());
  return first.empty() ? "unknown" : first;
}

const Service* MeshView::find_service(std::string_view service) const {
  auto found = services.find(service);
  return found == services.end() ? nullptr : found->second.get();
}

const DataplaneView* MeshView::find_dataplane(const model::ResourceKey& key) const {
  auto found = dataplanes.find(key);
  return found == dataplanes.end() ? nullptr : found->second.get();
}

const ResourceList& MeshView::policies_of(std::string_view type) const {
  static const ResourceList kNone;
  auto found = policies.find(type);
  return found == policies.end() ? kNone : *found->second;
}

bool MeshView::permissive() const {
  const auto* backend = enabled_backend(mesh->as<v1alpha1::Mesh>());
  return backend != nullptr && backend->mode() == v1alpha1::CertificateAuthorityBackend::PERMISSIVE;
}

bool MeshView::zone_egress_enabled() const {
  return mtls_enabled() && mesh->as<v1alpha1::Mesh>().routing().zoneegress();
}

}  // namespace kuma::mesh
