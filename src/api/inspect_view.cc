#include "api/inspect_view.h"

#include "base/text.h"
#include "mesh/view_builder.h"
#include "policy/legacy.h"
#include "policy/matched.h"

namespace kuma::api {
namespace {

// Of one mesh, or of all when it has no name, and of what belongs to no mesh.
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
      deps.registry, mesh::ViewOptions{.zone = deps.config.multizone.zone.name,
                                       .read_file = deps.read_file,
                                       .vip_naming = {.domain = deps.config.dns_server.domain,
                                                      .service_port = deps.config.dns_server.service_vip_port},
                                       .auto_reachable = deps.config.experimental.auto_reachable_services});
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

mesh::ZoneView inspect_zone_view(const ApiDeps& deps) { return build_view(deps, "")->zone_view(); }

bool applies(const model::Resource& policy, const mesh::MeshView& view, const mesh::DataplaneView& dataplane) {
  if (policy.type->is_target_ref) {
    return !policy::selected_inbounds(policy, view, dataplane, policy::selectable_inbounds(view, dataplane)).empty();
  }
  for (const policy::SelectorList list : {policy::SelectorList::Selectors, policy::SelectorList::Sources, policy::SelectorList::Destinations}) {
    if (policy::has_list(policy, list) && policy::best_rank(policy, list, dataplane.tag_sets)) {
      return true;
    }
  }
  return false;
}

json::object policy_meta(const model::Resource& policy) {
  return {{"type", policy.type->name},
          {"mesh", policy.meta.mesh},
          {"name", policy.meta.name},
          {"creationTime", format_rfc3339(policy.meta.creation_time)},
          {"modificationTime", format_rfc3339(policy.meta.modification_time)}};
}

}  // namespace kuma::api
