#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mesh/mesh_view.h"
#include "mesh/zone_view.h"
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
  // Egresses: meshes whose authority turned out to be of no use when an identity was to be made, and why. What needs one is
  // left out.
  std::map<std::string, std::string> unusable_trusts = {};
};

// What a mesh gave to the configuration of a zone proxy.
struct MeshInputs {
  std::set<std::string> services;      // looked at
  std::set<std::string> data_secrets;  // names of secrets whose data is in it
  bool gateways = false;               // cross-mesh listeners of the mesh's gateways are in it
};

// A sorted list that many generations share.
class PolicyRefs {
 public:
  PolicyRefs() = default;
  explicit PolicyRefs(std::shared_ptr<const std::vector<PolicyRef>> list) : list_(std::move(list)) {}
  size_t size() const { return list_ == nullptr ? 0 : list_->size(); }
  bool empty() const { return size() == 0; }
  const PolicyRef* begin() const { return list_ == nullptr ? nullptr : list_->data(); }
  const PolicyRef* end() const { return begin() + size(); }

 private:
  std::shared_ptr<const std::vector<PolicyRef>> list_;
};

struct EndpointsRecipe;  // xds/gen/shared_pieces.h

struct GeneratedResource {
  WireResourcePtr wire;
  PolicyRefs shaped_by;
};

// The configuration of one proxy, and what it was made from.
struct Generation {
  std::array<std::vector<GeneratedResource>, kXdsTypeCount> resources;  // each in order of name; of secrets those that users gave
  std::vector<SecretRef> secrets;                                       // sorted
  std::vector<Problem> problems;
  // The services looked at: a change of another one cannot change this configuration. Never null; shared by proxies that
  // look at the same ones.
  std::shared_ptr<const std::set<std::string>> services = std::make_shared<const std::set<std::string>>();
  std::set<std::string> data_secrets;  // names of the mesh's secrets whose data is in it
  std::set<std::string> other_meshes;  // names of the meshes that destinations of it are in
  uint64_t vips = 0;                   // see vip_fingerprint
  // Of each list of endpoints, how to make it again (refresh.h); null: by generating everything.
  std::vector<std::shared_ptr<const EndpointsRecipe>> endpoint_recipes;
  // Zone proxies: by mesh; the three above are of proxies of one mesh.
  std::map<std::string, MeshInputs> by_mesh;
  model::ResourcePtr zone_proxy;  // the resource that it was made for
};

// Pieces of configuration that are the same for many proxies, keyed by the immutable parts of the view they are made
// from (the endpoints of a service, …). One per process; any thread; entries die with what they were made from.
class SharedPieces;  // xds/gen/shared_pieces.h

struct GeneratorContext {
  Interner& interner;
  SharedPieces* pieces = nullptr;  // null: nothing is shared (tests, plans)
};

// Pure: the same view and input give the same bytes. NotFound when the proxy has no resource in the view; Unimplemented for
// kinds of proxies that are not there yet; any other error means that no configuration can be made, and says why.
absl::StatusOr<Generation> generate(const mesh::MeshView& view, const ProxyInput& proxy, const GeneratorContext& context);

// The same for the proxies of a zone, its ingress and its egress, which belong to no mesh.
absl::StatusOr<Generation> generate(const mesh::ZoneView& view, const ProxyInput& proxy, const GeneratorContext& context);

// Whether a change may concern a proxy, given its last generation (null: it has none yet, always true). May say true too
// often, never false wrongly. `pieces` may be null.
bool concerns(const mesh::MeshChange& change, const mesh::MeshView& view, const model::ResourceKey& proxy,
              const Generation* last, SharedPieces* pieces = nullptr);
// The same for an ingress or egress: a change of one mesh (`view` is null when the mesh is gone), and one of the zone proxy's
// own resource, which is no mesh's.
bool concerns_zone_proxy(const mesh::MeshChange& change, const std::string& mesh, const mesh::MeshView* view, ProxyType type,
                         const Generation* last);
bool own_resource_concerns(const mesh::ZoneView& zone, ProxyType type, const std::string& proxy, const Generation* last);

}  // namespace kuma::xds
