#pragma once

#include "base/json.h"
#include "mesh/mesh_view.h"

namespace kuma::api {

// The rules of all targetRef policies on a sidecar, as `GET …/dataplanes/{name}/rules` shows them: one for each inbound
// and clients' subset, for each destination, and for the proxy itself.
json::array inspect_rules(const mesh::MeshView& view, const mesh::DataplaneView& dataplane);

}  // namespace kuma::api
