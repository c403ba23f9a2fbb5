#pragma once

#include <optional>
#include <string_view>

#include "api/deps.h"
#include "base/json.h"
#include "mesh/view_builder.h"

namespace kuma::api {

// The view of a mesh to answer questions from: the engine's, or, where no engine runs, one made from the store for this
// question. Null when the mesh does not exist.
mesh::MeshViewPtr inspect_view(const ApiDeps& deps, std::string_view mesh);

// The view of the zone's own proxies, made from the store for this question. On the worker.
mesh::ZoneView inspect_zone_view(const ApiDeps& deps);

// What the configuration of egresses depends on as far as one mesh goes, for each zone whose egresses this control plane can
// tell of: its own, at a global all (the first 64 by name). Without dataplanes, which an egress does not look at. On the worker.
std::vector<mesh::ZoneView> inspect_egress_views(const ApiDeps& deps, std::string_view mesh);

// The view with changes laid over it that nobody stored, made from the store for this question. On the worker.
struct Overlay {
  mesh::MeshUpdate update;
  std::optional<mesh::ZoneView> zone;  // all meshes as they are; nothing: there is no zone proxy
};
Overlay overlay_view(const ApiDeps& deps, std::string_view mesh, const std::vector<model::Change>& changes);

// Whether a policy applies to a dataplane in any way: by its top-level targetRef, its selectors, or as a source or a
// destination.
bool applies(const model::Resource& policy, const mesh::MeshView& view, const mesh::DataplaneView& dataplane);

// A policy as inspections name it: its type, key and times.
json::object policy_meta(const model::Resource& policy);

}  // namespace kuma::api
