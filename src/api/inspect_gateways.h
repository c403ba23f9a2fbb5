#pragma once

#include <optional>
#include <string_view>

#include "base/json.h"
#include "mesh/mesh_view.h"

namespace kuma::api {

// Inspection of builtin gateways, whose policies belong to what their routes lead to (spec/rest-api.md §8.1).

// `GET …/dataplanes/{name}/policies` of a gateway's dataplane. Of a match that splits requests the last destination alone is
// shown, as clients know it; the dataplanes of a policy tell all.
json::object gateway_policies(const mesh::MeshView& view, const mesh::DataplaneView& dataplane);

// The dataplane as one of those that a policy is attached to; nothing when it isn't.
std::optional<json::object> gateway_attachment(const mesh::MeshView& view, const mesh::DataplaneView& dataplane,
                                               std::string_view policy_type, std::string_view policy);

// Whether a host of the gateway that the dataplane runs has a MeshGatewayRoute.
bool has_gateway_route(const mesh::MeshView& view, const mesh::DataplaneView& dataplane, std::string_view route);

// Dataplanes that run a MeshGateway, and those of which a host has a MeshGatewayRoute.
json::array dataplanes_of_gateway(const mesh::MeshView& view, std::string_view gateway);
json::array dataplanes_of_gateway_route(const mesh::MeshView& view, std::string_view route);

}  // namespace kuma::api
