#pragma once

#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "mesh/mesh_view.h"
#include "mesh/v1alpha1/externalservice.pb.h"

namespace kuma::mesh {

// TLS to a service outside (ExternalService.networking.tls), with its data read.
struct ExternalTls {
  std::string host;               // of the address; names the socket
  std::string sni;                // empty: none is sent (the host is an IP, and no other name is given)
  std::string ca_pem;             // empty: whoever answers is believed
  std::string certificate_pem;    // the client's; empty: none
  std::string key_pem;
  std::string server_identity;    // the DNS name or IP that the certificate has to be for; empty: any
  bool allow_renegotiation = false;

  bool operator==(const ExternalTls&) const = default;
};

// Reads the certificates and keys, and checks that Envoy will be able to. `host` is that of the service's address. Names of the
// secrets that were looked at go to `data_secrets`, those that are missing too.
absl::StatusOr<ExternalTls> load_external_tls(const v1alpha1::ExternalService::Networking::TLS& tls, const std::string& host,
                                              const MeshView& view, std::set<std::string>& data_secrets);

}  // namespace kuma::mesh
