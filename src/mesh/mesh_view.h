#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "model/resource.h"

namespace kuma::mesh {

// Tags of an inbound, an outbound, an endpoint: sorted, so that whatever is made of them is the same each time.
using Tags = std::map<std::string, std::string>;

enum class Protocol { Unknown, Tcp, Kafka, Http, Http2, Grpc };

// One address that a service can be reached at (spec/xds-config.md §9).
struct Endpoint {
  std::string address;
  uint32_t port = 0;
  uint32_t weight = 1;
  Tags tags;                              // with kuma.io/service
  std::optional<std::string> zone;        // of the kuma.io/zone tag
  bool through_egress = false;
  model::ResourcePtr external_service;    // set when the endpoint belongs to an ExternalService
};

// All that other proxies need to know of one service. Immutable, shared by successive views while it does not change, so
// the pointer itself says whether anything about the service is new.
struct Service {
  std::string name;
  std::vector<Endpoint> endpoints;        // in the order of spec/xds-config.md §9
  Protocol protocol = Protocol::Unknown;  // folded over the endpoints
  bool external = false;
  // PERMISSIVE meshes: all dataplanes of the service have a certificate of the enabled backend, so clients may use mTLS.
  bool tls_ready = false;
};
using ServicePtr = std::shared_ptr<const Service>;

// A Dataplane as the view holds it: its resource with addresses resolved to IPs (left out of the view if they can't be).
struct DataplaneView {
  model::ResourcePtr resource;
  std::string address;             // networking.address, an IP
  std::string advertised_address;  // networking.advertisedAddress or address
  std::vector<Tags> tag_sets;      // of each inbound whose state is not Ignored, and of the gateway
};
using DataplanePtr = std::shared_ptr<const DataplaneView>;

// The certificate authority of a mesh's enabled backend, as PEM.
struct Trust {
  std::string backend;               // name of the enabled backend
  std::string bundle_pem;            // what proxies trust
  std::string certificate_pem;       // signs identities
  std::string key_pem;
  std::string problem;               // why it is not usable (a secret is missing, …); empty when it is
};
using TrustPtr = std::shared_ptr<const Trust>;

// Everything that the configuration of a mesh's proxies depends on, at one point of the store's history. Immutable; a
// change makes a new one that shares all unchanged parts with the last. Readers hold a shared_ptr and never lock.
//
// Insights are not in it, but for Service::tls_ready.
class MeshView {
 public:
  std::string name;
  std::string zone;             // of this control plane; empty in standalone without a zone name
  uint64_t sequence = 0;        // of the last change that is in it
  model::ResourcePtr mesh;      // the Mesh
  TrustPtr trust;               // null when mTLS is off

  std::map<model::ResourceKey, DataplanePtr> dataplanes;
  std::map<std::string, ServicePtr, std::less<>> services;
  // By type name, each in order of key. Every mesh-scoped type that configuration depends on, apart from dataplanes.
  std::map<std::string, std::vector<model::ResourcePtr>, std::less<>> policies;
  std::vector<model::ResourcePtr> zone_ingresses;
  std::vector<model::ResourcePtr> zone_egresses;
  std::map<std::string, model::ResourcePtr, std::less<>> secrets;  // of the mesh, by name, for data sources
  // The other meshes' name, Mesh and trust: cross-mesh destinations and CA bundles.
  std::map<std::string, std::pair<model::ResourcePtr, TrustPtr>, std::less<>> other_meshes;

  const Service* find_service(std::string_view service) const;
  const DataplaneView* find_dataplane(const model::ResourceKey& key) const;
  const std::vector<model::ResourcePtr>& policies_of(std::string_view type) const;  // empty list for none

  bool mtls_enabled() const { return trust != nullptr; }
};
using MeshViewPtr = std::shared_ptr<const MeshView>;

// What differs between a view and the one before it: enough to know which proxies are concerned.
struct MeshChange {
  bool mesh = false;                          // the Mesh itself, its trust, other meshes', zone proxies': everybody
  std::set<model::ResourceKey> dataplanes;    // whose own resource changed (created, deleted, resolved anew)
  std::set<std::string> services;             // whose Service changed
  std::vector<std::pair<model::ResourcePtr, model::ResourcePtr>> policies;  // before, after; either may be null
  MonotonicTime committed_at{};               // of the oldest change in it
};

}  // namespace kuma::mesh
