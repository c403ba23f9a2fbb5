#pragma once

#include <map>
#include <memory>
#include <string>

#include "mesh/mesh_view.h"

namespace kuma::mesh {

// Every service of a mesh with the tags by which permissions choose it when what a proxy may reach is worked out: those that
// Kubernetes gives, of the first instance seen (spec/policy-traffic-permission.md §4). Dataplanes come first, then zone
// ingresses (of all zones), then external services, each in order of name.
ReachTagsPtr build_reach_tags(const SharedMap<model::ResourceKey, DataplanePtr>& dataplanes, std::string_view mesh,
                              const std::map<std::string, model::ResourcePtr>& zone_ingresses,
                              const ResourceList& external_services);

// Tags other than these say nothing of a service in this.
bool is_reach_tag(std::string_view key);

}  // namespace kuma::mesh
