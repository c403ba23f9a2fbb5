#pragma once

#include <string>
#include <string_view>

#include "envoy/config/core/v3/base.pb.h"

namespace kuma::policy::envoy {

// TLS of a mesh, as both of its ends have it (spec/mtls.md §5, §6). Keys and certificates come as secrets.

// A server within a mesh: everybody with an identity of the mesh may connect.
::envoy::config::core::v3::TransportSocket mesh_server_tls(std::string_view mesh);

// A client of a service. The server has to be exactly `peer_identity` (spiffe://default/backend).
struct MeshClientTls {
  std::string mesh;           // the client's
  std::string peer_mesh;      // the server's
  std::string peer_identity;
  std::string sni;

  bool operator==(const MeshClientTls&) const = default;
};
::envoy::config::core::v3::TransportSocket mesh_client_tls(const MeshClientTls& client);

// The same for connections to any service of the mesh, chosen by address: no SNI.
::envoy::config::core::v3::TransportSocket mesh_client_tls_to_any(std::string_view mesh);

// spiffe://default/backend
std::string spiffe_id(std::string_view mesh, std::string_view service);

}  // namespace kuma::policy::envoy
