#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/resource.h"

namespace kuma::kds {

// Which end of the synchronisation this control plane is.
enum class Side { Global, Zone };

// The types that a side sends (spec/kds.md §4), in order of name.
std::vector<const model::ResourceType*> provided_types(const model::Registry& registry, Side side);
// Those that it takes: what the other side provides.
std::vector<const model::ResourceType*> consumed_types(const model::Registry& registry, Side side);

// Whether a stored resource is among those that a consumer keeps in step with its peer; all others of the type are its
// own and never touched. `zone` is the local zone in a zone, the connected zone in a global.
bool is_in_scope(Side side, std::string_view zone, const model::Resource& stored);

// The zone of a ZoneIngress, empty for any other type and in the zone that owns it.
std::string_view zone_of_ingress(const model::Resource& resource);

}  // namespace kuma::kds
