#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "mesh/tags.h"

namespace kuma::policy {

// What a targetRef points at, from the widest to the narrowest: policies apply in this order, the later ones win.
enum class TargetKind { Mesh = 1, MeshSubset, MeshGateway, MeshService, MeshServiceSubset, MeshHTTPRoute };

std::string_view kind_name(TargetKind kind);  // "MeshService", as users write it

struct TargetRef {
  TargetKind kind = TargetKind::Mesh;
  std::string name;
  mesh::Tags tags;
};

// Reads a targetRef of a validated policy. Nothing for a kind that is unknown here (a policy synced from a newer control
// plane): what it selects can't be told, so it selects nothing.
std::optional<TargetRef> parse_target_ref(const json::value& value);
// The same of `object[member]`; nothing when there is none.
std::optional<TargetRef> parse_target_ref(const json::value& object, std::string_view member);

// Whether tags fulfil a targetRef of kind Mesh, MeshSubset, MeshService or MeshServiceSubset; false for the other kinds,
// which tags alone don't tell.
bool selects_tags(const TargetRef& target, const mesh::Tags& tags);

// The name that a resource of a mesh bears after it was synced from global to a zone.
std::string synced_name(std::string_view mesh, std::string_view name);

}  // namespace kuma::policy
