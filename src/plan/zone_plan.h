#pragma once

#include <string>
#include <vector>

#include "mesh/zone_view.h"
#include "plan/plan.h"

namespace kuma::plan {

// What a change of one mesh would do outside of it. Pure, as a plan is.

// The configuration of a zone's own proxy, which serves all meshes, as it is and as it would be.
struct ZoneProxyPlan {
  std::string type;   // ZoneIngress, ZoneEgress
  std::string name;
  std::string error;  // why it could not be configured any more; empty: it could
  std::vector<Difference> differences;  // none names a dataplane
  size_t differences_left_out = 0;
};

// The zone with the changed mesh in the place of what it was.
mesh::ZoneView with_update(mesh::ZoneView zone, const mesh::MeshUpdate& update);

// Of the proxies of this control plane's zone, those that would get another configuration. What would newly be left out is
// warned of in `plan`.
std::vector<ZoneProxyPlan> plan_zone_proxies(const mesh::ZoneView& before, const mesh::ZoneView& after, const Limits& limits, Plan& plan);

// Says in `plan` that dataplanes of other meshes come to this one's gateways and may be concerned, which a plan does not look at.
void warn_of_other_meshes(const mesh::MeshUpdate& update, const std::vector<std::string>& other_meshes, const Limits& limits, Plan& plan);

json::array to_json_array(const std::vector<ZoneProxyPlan>& proxies);

}  // namespace kuma::plan
