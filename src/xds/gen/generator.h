#pragma once

#include <array>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mesh/mesh_view.h"
#include "xds/gen/resource.h"

namespace kuma::xds {

enum class ProxyType { Dataplane, ZoneIngress, ZoneEgress };

// What a proxy says of itself in its node metadata (spec/xds-server.md §3).
struct ProxyMetadata {
  ProxyType proxy_type = ProxyType::Dataplane;
  uint32_t admin_port = 0;
  std::string admin_address;
  uint32_t readiness_port = 0;
  uint32_t dns_port = 0;
  uint32_t dns_empty_port = 0;
  std::string access_log_socket_path;
  std::string metrics_socket_path;
  std::string metrics_cert_path;
  std::string metrics_key_path;
  std::vector<std::string> features;

  bool operator==(const ProxyMetadata&) const = default;
};

// The PEMs of the admin listener's TLS (spec/xds-server.md §10): made per proxy by the server and kept, so that the
// listener stays the same.
struct AdminTls {
  std::string ca_pem;
  std::string certificate_pem;
  std::string key_pem;
};

struct ProxyInput {
  model::ResourceKey key;
  ProxyMetadata metadata;
  AdminTls admin_tls;
};

// A secret that the configuration refers to; the server provides it (identities are made per proxy).
struct SecretRef {
  enum class Kind { Identity, Ca, AllCas };
  Kind kind = Kind::Identity;
  std::string mesh;
  std::string name;  // "identity_cert:secret:default", "mesh_ca:secret:default", "mesh_ca:secret:all"
  auto operator<=>(const SecretRef&) const = default;
};

// Why part of a configuration was left out; readable on the proxy and on the policy.
struct Problem {
  PolicyRef policy;
  std::string message;
};

struct GeneratedResource {
  WireResourcePtr wire;
  std::vector<PolicyRef> shaped_by;  // sorted
};

// The configuration of one proxy, and what it was made from.
struct Generation {
  std::array<std::vector<GeneratedResource>, kXdsTypeCount> resources;  // each in order of name; Secret stays empty
  std::vector<SecretRef> secrets;                                       // sorted
  std::vector<Problem> problems;
  // The services looked at: a change of another one cannot change this configuration.
  std::set<std::string> services;
};

// Pieces of configuration that are the same for many proxies, keyed by the immutable parts of the view they are made
// from (the endpoints of a service, …). One per process; any thread; entries die with what they were made from.
class SharedPieces;

struct GeneratorContext {
  Interner& interner;
  SharedPieces* pieces = nullptr;  // null: nothing is shared (tests, plans)
};

// Pure: the same view and input give the same bytes. NotFound when the proxy has no resource in the view; any other error
// means that no configuration can be made, and says why.
absl::StatusOr<Generation> generate(const mesh::MeshView& view, const ProxyInput& proxy, const GeneratorContext& context);

// Whether a change may concern a proxy, given its last generation (null: it has none yet, always true). May say true too
// often, never false wrongly.
bool concerns(const mesh::MeshChange& change, const mesh::MeshView& view, const model::ResourceKey& proxy,
              const Generation* last);

}  // namespace kuma::xds
