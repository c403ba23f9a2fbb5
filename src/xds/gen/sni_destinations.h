#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mesh/mesh_view.h"

namespace kuma::xds {

// The subsets of services that clients of a mesh may ask zone proxies for: routes say which (spec/zone-proxies.md §3). A client
// announces the tags that a route chose, so each set of tags is a server name.
class SniDestinations {
 public:
  // `available`: the tags of the services that are offered, for VirtualOutbounds.
  SniDestinations(const mesh::MeshView& view, const std::vector<mesh::Tags>& available);

  // Of the service itself.
  const std::vector<mesh::Tags>& of(std::string_view service) const;
  // Of whatever service.
  const std::vector<mesh::Tags>& of_any() const { return of("*"); }

 private:
  void add(mesh::Tags tags);
  void add_traffic_routes(const mesh::MeshView& view);
  void add_http_routes(const mesh::MeshView& view);
  void add_gateway_routes(const mesh::MeshView& view);
  void add_gateways(const mesh::MeshView& view);
  void add_virtual_outbounds(const mesh::MeshView& view, const std::vector<mesh::Tags>& available);

  std::map<std::string, std::vector<mesh::Tags>, std::less<>> by_service_;
};

}  // namespace kuma::xds
