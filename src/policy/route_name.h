#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace kuma::policy {

// The tag by which a rule is for the requests of one rule of a MeshHTTPRoute alone (spec/policy-matching.md §3.5). It never
// is a tag of a proxy.
inline constexpr std::string_view kRouteTag = "__rule-matches-hash__";

// The name of a MeshHTTPRoute's rule by its `matches`: Envoy's routes bear it, and it is the value of kRouteTag. Base64 of
// the SHA-256 of their JSON, with members in the order of the reference and nothing that is absent.
std::string route_name(const json::value& matches);

}  // namespace kuma::policy
