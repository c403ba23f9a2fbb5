#pragma once

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

// The view with changes laid over it that nobody stored, made from the store for this question. On the worker.
mesh::MeshUpdate overlay_view(const ApiDeps& deps, std::string_view mesh, const std::vector<model::Change>& changes);

// Whether a policy applies to a dataplane in any way: by its top-level targetRef, its selectors, or as a source or a
// destination.
bool applies(const model::Resource& policy, const mesh::MeshView& view, const mesh::DataplaneView& dataplane);

// A policy as inspections name it: its type, key and times.
json::object policy_meta(const model::Resource& policy);

}  // namespace kuma::api
