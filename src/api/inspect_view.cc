#include "api/inspect_view.h"

#include "mesh/view_builder.h"

namespace kuma::api {
namespace {

std::vector<model::Change> changes_of(const ApiDeps& deps, std::string_view mesh) {
  std::vector<model::Change> changes;
  for (const model::ResourceType& type : deps.registry.types()) {
    const bool mesh_scoped = type.scope == model::Scope::Mesh;
    store::ListQuery query{.type = &type, .mesh = mesh_scoped ? std::string(mesh) : std::string()};
    for (model::ResourcePtr& resource : deps.store.list(query).items) {
      changes.push_back({.before = nullptr, .after = std::move(resource)});
    }
  }
  return changes;
}

}  // namespace

mesh::MeshViewPtr inspect_view(const ApiDeps& deps, std::string_view mesh) {
  if (deps.find_view != nullptr) {
    return deps.find_view(mesh);
  }
  mesh::ViewBuilder builder(deps.registry, {.zone = deps.config.multizone.zone.name, .read_file = nullptr});
  builder.apply(changes_of(deps, mesh));
  return builder.find(mesh);
}

}  // namespace kuma::api
