#include "api/inspect_view.h"

#include <set>

#include "base/text.h"
#include "mesh/v1alpha1/zoneegress.pb.h"
#include "mesh/view_builder.h"
#include "policy/legacy.h"
#include "policy/matched.h"

namespace kuma::api {
namespace {

constexpr size_t kEgressZonesMax = 64;

struct ViewScope {
  std::string_view mesh;  // empty: all meshes
  std::string_view zone;
  bool dataplanes = true;
};

// Of the scope, and of what belongs to no mesh.
std::vector<model::Change> changes_of(const ApiDeps& deps, const ViewScope& scope) {
  std::vector<model::Change> changes;
  for (const model::ResourceType& type : deps.registry.types()) {
    if (!scope.dataplanes && type.name.starts_with("Dataplane")) {
      continue;
    }
    const bool mesh_scoped = type.scope == model::Scope::Mesh;
    store::ListQuery query{.type = &type, .mesh = mesh_scoped ? std::string(scope.mesh) : std::string()};
    for (model::ResourcePtr& resource : deps.store.list(query).items) {
      changes.push_back({.before = nullptr, .after = std::move(resource)});
    }
  }
  return changes;
}

std::unique_ptr<mesh::ViewBuilder> build_view(const ApiDeps& deps, const ViewScope& scope) {
  auto builder = std::make_unique<mesh::ViewBuilder>(
      deps.registry, mesh::ViewOptions{.zone = std::string(scope.zone),
                                       .read_file = deps.read_file,
                                       .vip_naming = {.domain = deps.config.dns_server.domain,
                                                      .service_port = deps.config.dns_server.service_vip_port},
                                       .auto_reachable = deps.config.experimental.auto_reachable_services});
  builder->apply(changes_of(deps, scope));
  for (const std::string& host : deps.resolve == nullptr ? std::vector<std::string>() : builder->hosts()) {
    builder->set_resolved(host, deps.resolve(host));
  }
  return builder;
}

ViewScope own_zone(const ApiDeps& deps, std::string_view mesh) {
  return {.mesh = mesh, .zone = deps.config.multizone.zone.name, .dataplanes = true};
}

}  // namespace

Overlay overlay_view(const ApiDeps& deps, std::string_view mesh, const std::vector<model::Change>& changes) {
  const auto has = [&](std::string_view type) { return deps.store.list({.type = deps.registry.find(type), .size = 1}).total > 0; };
  const bool zone_proxies = has("ZoneIngress") || has("ZoneEgress");
  const auto builder = build_view(deps, own_zone(deps, zone_proxies ? std::string_view() : mesh));
  Overlay overlay{.update = builder->overlay(mesh, changes), .zone = {}};
  if (zone_proxies) {
    overlay.zone = builder->zone_view();
  }
  return overlay;
}

mesh::MeshViewPtr inspect_view(const ApiDeps& deps, std::string_view mesh) {
  if (deps.find_view != nullptr) {
    return deps.find_view(mesh);
  }
  return build_view(deps, own_zone(deps, mesh))->find(mesh);
}

mesh::ZoneView inspect_zone_view(const ApiDeps& deps) { return build_view(deps, own_zone(deps, ""))->zone_view(); }

std::vector<mesh::ZoneView> inspect_egress_views(const ApiDeps& deps, std::string_view mesh) {
  std::set<std::string> zones;
  if (deps.config.is_global()) {
    for (const model::ResourcePtr& egress : deps.store.list({.type = deps.registry.find("ZoneEgress")}).items) {
      zones.insert(egress->as<::kuma::mesh::v1alpha1::ZoneEgress>().zone());
    }
  } else {
    zones.insert(deps.config.multizone.zone.name);
  }
  std::vector<mesh::ZoneView> views;
  for (const std::string& zone : zones) {
    if (views.size() == kEgressZonesMax) {
      break;
    }
    views.push_back(build_view(deps, {.mesh = mesh, .zone = zone, .dataplanes = false})->zone_view());
  }
  return views;
}

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
