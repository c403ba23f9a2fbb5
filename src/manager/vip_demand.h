#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "mesh/mesh_view.h"
#include "mesh/vips.h"

namespace kuma::manager {

// What decides which names a mesh has (spec/xds-config.md §11.1). The lists are in order of name, gateways by mesh first.
struct VipSources {
  std::string mesh;
  std::string zone{};           // of this control plane
  std::string domain = "mesh";  // KUMA_DNS_SERVER_DOMAIN
  bool service_vips = true;     // KUMA_DNS_SERVER_SERVICE_VIP_ENABLED
  mesh::ResourceList dataplanes{};
  mesh::ResourceList zone_ingresses{};      // of all zones
  mesh::ResourceList external_services{};
  mesh::ResourceList virtual_outbounds{};
  mesh::ResourceList gateways{};            // of all meshes
};

struct VipDemand {
  mesh::VipTable table;                              // without addresses, but for those that are addresses themselves
  std::vector<std::string> problems;                 // names that can't be had: why, and whose they are
  absl::flat_hash_set<std::string> used_addresses;   // of dataplanes
};

// Pure; the same sources give the same demand. Where two want the same port of one name for different destinations, the
// first has it: dataplanes before other zones' services, those before external services, those before gateways.
VipDemand build_vip_demand(const VipSources& sources);

// Whether a change of a resource can change the demand of any mesh. Cheap: called for every change of the store.
bool concerns_vips(const model::Resource* before, const model::Resource* after);

}  // namespace kuma::manager
