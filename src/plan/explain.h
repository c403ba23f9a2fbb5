#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "mesh/mesh_view.h"

namespace kuma::plan {

// Why does a dataplane treat requests to a service the way it does? For each type of policy that shapes how it reaches
// `service`: each setting, its value, the policy and entry it comes from, the candidates that lost and why; and the
// policies that don't count at all. Policies with selectors are not merged: one is chosen, the others lost.
//
//   {"dataplane": …, "service": …, "addresses": ["127.0.0.1:10001"], "warnings": […],
//    "policies": [{"type": "MeshTimeout", "settings": [{"setting": …, "value": …, "policy": …, "rule": "to[0]",
//                  "lost": [{"policy": …, "rule": …, "value": …, "reason": …}]}],
//                  "without": [{"policy": …, "reason": …}]},
//                 {"type": "Timeout", "policy": "timeout-all-default", "lost": [{"policy": …, "reason": …}]}]}
//
// NotFound: the mesh has no such dataplane with a usable address.
absl::StatusOr<json::object> explain(const mesh::MeshView& view, const model::ResourceKey& dataplane, std::string_view service);

}  // namespace kuma::plan
