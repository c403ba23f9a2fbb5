#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mesh/mesh_view.h"

namespace kuma::mesh {

// Everything that the configuration of a zone's own proxies (ingress, egress) depends on, at one point of the store's history:
// the views of all meshes side by side and the zone proxies. Nothing but pointers, so that making one for each batch of changes
// costs next to nothing; immutable like the views it holds.
struct ZoneView {
  std::string zone;                 // of this control plane; empty in standalone without a zone name
  std::vector<MeshViewPtr> meshes;  // in order of name
  // In order of name. Addresses are IPs where they resolve. One whose public address does not resolve is here all the same:
  // it is of no use to other zones (the meshes' views don't have it) but still to its own proxy.
  ResourceList ingresses;
  ResourceList egresses;

  const MeshView* find_mesh(std::string_view name) const;
  // Null: there is none of this name.
  model::ResourcePtr find_ingress(std::string_view name) const;
  model::ResourcePtr find_egress(std::string_view name) const;
};

}  // namespace kuma::mesh
