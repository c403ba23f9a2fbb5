#include "mesh/zone_view.h"

#include <algorithm>

namespace kuma::mesh {
namespace {

model::ResourcePtr find_by_name(const ResourceList& list, std::string_view name) {
  auto at = std::ranges::lower_bound(list, name, {}, [](const model::ResourcePtr& one) -> std::string_view { return one->meta.name; });
  return at != list.end() && (*at)->meta.name == name ? *at : nullptr;
}

}  // namespace

const MeshView* ZoneView::find_mesh(std::string_view name) const {
  auto at = std::ranges::lower_bound(meshes, name, {}, [](const MeshViewPtr& one) -> std::string_view { return one->name; });
  return at != meshes.end() && (*at)->name == name ? at->get() : nullptr;
}

model::ResourcePtr ZoneView::find_ingress(std::string_view name) const { return find_by_name(ingresses, name); }
model::ResourcePtr ZoneView::find_egress(std::string_view name) const { return find_by_name(egresses, name); }

}  // namespace kuma::mesh
