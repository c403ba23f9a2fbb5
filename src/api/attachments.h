#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mesh/mesh_view.h"

namespace kuma::api {

// A part of a sidecar that policies apply to: the proxy itself, an inbound, an outbound, or a service that it talks to.
struct Attachment {
  std::string_view type;  // "dataplane", "inbound", "outbound", "service"
  std::string name{};     // `10.0.0.1:80:8080`, `127.0.0.1:5000`, `backend`; empty for the proxy itself
  std::string service{};
  std::map<std::string_view, mesh::ResourceList> policies{};  // by type
};

// All parts of a dataplane to which any policy applies, by type, name and service (spec/rest-api.md §8.1). The policies
// are those that its configuration is made from, chosen in the same way.
std::vector<Attachment> attachments_of(const mesh::MeshView& view, const mesh::DataplaneView& dataplane);

}  // namespace kuma::api
