#include "mesh/mesh_view.h"

#include "mesh/trust.h"
#include "mesh/v1alpha1/mesh.pb.h"

namespace kuma::mesh {

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
