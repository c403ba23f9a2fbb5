#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace kuma::net {

enum class TlsVersion { Tls10, Tls11, Tls12, Tls13 };

struct TlsServerConfig {
  std::string certificate_pem = {};  // chain, leaf first
  std::string key_pem = {};
  TlsVersion version_min = TlsVersion::Tls12;
  TlsVersion version_max = TlsVersion::Tls13;
  std::vector<std::string> cipher_suites = {};     // names as Go and OpenSSL know them; empty: the library's default
  std::string client_ca_pem = {};                  // non-empty: client certificates are asked for and verified against it
  bool require_client_certificate = false;
};

struct TlsClientConfig {
  std::string ca_pem = {};         // empty with verify: the system's roots
  bool verify = true;         // chain and host name
  std::string server_name = {};    // for SNI and verification; empty: the host dialled
  std::string certificate_pem = {};  // of the client, optional
  std::string key_pem = {};
};

// An OpenSSL context made from a configuration; immutable, shared by connections.
class TlsContext;
absl::StatusOr<std::shared_ptr<const TlsContext>> make_tls_server(const TlsServerConfig& config);
absl::StatusOr<std::shared_ptr<const TlsContext>> make_tls_client(const TlsClientConfig& config);

}  // namespace kuma::net
