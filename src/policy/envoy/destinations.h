#pragma once

#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "mesh/mesh_view.h"
#include "policy/envoy/outbound.h"
#include "policy/proxy_resources.h"

namespace kuma::policy::envoy {

// What a proxy knows of the services that it sends requests to: who offers them, what they speak, how they are reached.
// TrafficRoute and the routes among targetRef policies put their clusters by it, so that a destination is reached in the
// same way whoever chose it.
//
// Every service that is asked for is noted in the resources, which have to outlive this, as has the view.
class Destinations {
 public:
  Destinations(const mesh::MeshView& view, ProxyResources& resources);

  // Null when nobody offers it. Of another mesh its gateway, whose listeners for other meshes are the endpoints.
  mesh::ServicePtr find(const mesh::Tags& tags);
  // Of all instances of the service that the proxy may reach, whatever else the tags choose by. Nothing: there are none, or
  // they are another mesh's, of which only bytes are known.
  std::optional<mesh::Protocol> protocol_of(const mesh::Tags& tags);
  // Whether requests leave the mesh, here or at an egress: the other side wants its own host name.
  bool leaves_mesh(const mesh::Tags& tags);
  // The addresses that the proxy reaches a service outside of the mesh at by itself, whatever else the tags choose by. Nothing
  // when it is one of the mesh.
  std::optional<ExternalCluster> external(const mesh::Tags& tags);

  // mTLS to a service of this mesh or of another one; nothing where one of the ends has none. `assume_ready`: instances are not
  // asked whether they have their certificates yet, as they are in a PERMISSIVE mesh otherwise.
  std::optional<MeshClientTls> tls_of(const mesh::Tags& tags, const mesh::Service* service, bool assume_ready) const;

  // The cluster and its endpoints. `protocol`, `tls` and `external` are filled in from the tags.
  void put(DestinationCluster cluster);

 private:
  // One after the other, for a service that find() found.
  std::optional<mesh::Protocol> protocol_of(const mesh::Service* service) const;
  bool leaves_mesh(const mesh::Service* service) const;
  std::optional<ExternalCluster> external(const mesh::Service* service) const;
  bool is_of_other_mesh(const mesh::Tags& tags) const;
  // The addresses outside of the mesh that the proxy reaches a service at; empty when it is one of the mesh.
  std::vector<mesh::EndpointPtr> outside(const mesh::Service* service) const;

  const mesh::MeshView& view_;
  ProxyResources& resources_;
  LocalityRules locality_;
  absl::flat_hash_map<std::string, mesh::ServicePtr> found_;  // asked for, of the mesh, by name
};

}  // namespace kuma::policy::envoy
