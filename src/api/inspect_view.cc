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

std::unique_ptr<mesh::ViewBuilder> build_view(const ApiDeps& deps, std::string_view mesh) {
  auto builder = std::make_unique<mesh::ViewBuilder>(
      deps.registry, mesh::ViewOptions{.zone = deps.config.multizone.zone.name, .read_file = deps.read_file});
  builder->apply(changes_of(deps, mesh));
  for (const std::string& host : deps.resolve == nullptr ? std::vector<std::string>() : builder->hosts()) {
    builder->set_resolved(host, deps.resolve(host));
  }
  return builder;
}

}  // namespace

mesh::MeshUpdate overlay_view(const ApiDeps& deps, std::string_view mesh, const std::vector<model::Change>& changes) {
  return build_view(deps, mesh)->overlay(mesh, changes);
}

mesh::MeshViewPtr inspect_view(const ApiDeps& deps, std::string_view mesh) {
  if (deps.find_view != nullptr) {
    return deps.find_view(mesh);
  }
  return build_view(deps, mesh)->find(mesh);
}

}  // namespace kuma::api
