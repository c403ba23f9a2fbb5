#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mesh/protocol.h"
#include "mesh/shared_map.h"
#include "mesh/tags.h"
#include "mesh/vips.h"
#include "model/resource.h"

namespace kuma::mesh {

// One address that a service can be reached at (spec/xds-config.md §9).
struct Endpoint {
  std::string address;
  uint32_t port = 0;
  uint32_t weight = 1;
  Tags tags;                              // with kuma.io/service
  std::optional<std::string> zone;        // of the kuma.io/zone tag
  bool remote = false;                    // in another zone, by way of its ingress or of our egress
  bool through_egress = false;
  bool external = false;                  // stands for a service outside of the mesh
  model::ResourcePtr external_service;    // the ExternalService of this zone that it stands for

  bool operator==(const Endpoint&) const = default;
};
using EndpointPtr = std::shared_ptr<const Endpoint>;

// All that other proxies need to know of one service. Immutable, shared by successive views while it does not change, so
// the pointer itself says whether anything about the service is new.
struct Service {
  std::string name;
  std::vector<EndpointPtr> endpoints;     // remote zones' first, then dataplanes by name, then through egress
  // Of ExternalServices that proxies reach without an egress: who may reach which is decided per proxy.
  std::vector<EndpointPtr> direct;
  Protocol protocol = Protocol::Unknown;  // folded over the endpoints and `direct`
  bool external = false;                  // the first endpoint is
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

// The service that a dataplane is known by: of those of its inbounds and its gateway the first by name; `unknown` without.
std::string identifying_service(const DataplaneView& dataplane);

// The certificate authority of a mesh's enabled backend, as PEM.
struct Trust {
  std::string backend;               // name of the enabled backend
  std::string bundle_pem;            // what proxies trust
  std::string certificate_pem;       // signs identities
  std::string key_pem;
  std::string problem;               // why it is not usable (a secret is missing, …); empty when it is

  bool operator==(const Trust&) const = default;
};
using TrustPtr = std::shared_ptr<const Trust>;

using ResourceList = std::vector<model::ResourcePtr>;
using ReachTagsPtr = std::shared_ptr<const std::map<std::string, Tags>>;  // by service, see mesh/reach.h

// The gateways of a mesh that other ones may use, by their service.
using GatewayServices = std::map<std::string, ServicePtr, std::less<>>;

// What a mesh sees of another one.
struct OtherMesh {
  model::ResourcePtr mesh;
  TrustPtr trust;
  std::shared_ptr<const GatewayServices> gateways;  // null: none

  bool operator==(const OtherMesh&) const = default;
};

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

  SharedMap<model::ResourceKey, DataplanePtr> dataplanes;
  SharedMap<std::string, ServicePtr> services;
  VipsPtr vips;                 // names and addresses for transparent proxies; null: none yet
  ReachTagsPtr reach_tags;      // for automatic reachability; null when it is off: everybody reaches everything
  // By type name, each in order of name. Every mesh-scoped type that configuration depends on, apart from dataplanes.
  std::map<std::string, std::shared_ptr<const ResourceList>, std::less<>> policies;
  ResourceList zone_ingresses;  // of this zone and of others, those with a usable address
  ResourceList zone_egresses;
  SharedMap<std::string, model::ResourcePtr> secrets;  // of the mesh, by name, for data sources
  std::map<std::string, OtherMesh, std::less<>> other_meshes;  // by name: cross-mesh destinations and CA bundles

  const Service* find_service(std::string_view service) const;
  const DataplaneView* find_dataplane(const model::ResourceKey& key) const;
  const ResourceList& policies_of(std::string_view type) const;  // empty list for none

  bool mtls_enabled() const { return trust != nullptr; }
  bool permissive() const;             // mTLS is on and its backend is PERMISSIVE
  bool zone_egress_enabled() const;    // routing.zoneEgress, which needs mTLS
};
using MeshViewPtr = std::shared_ptr<const MeshView>;

// What differs between a view and the one before it: enough to know which proxies are concerned.
struct MeshChange {
  bool mesh = false;                          // the Mesh itself or its trust: everybody
  bool zone_proxies = false;                  // ZoneIngresses, ZoneEgresses: what they change for dataplanes is in `services`
  std::set<model::ResourceKey> dataplanes;    // whose own resource changed (created, deleted, resolved anew)
  std::set<std::string> services;             // whose Service changed
  std::set<std::string> vip_services;         // with another name, VIP or port of one
  bool reach = false;                         // reach_tags
  std::vector<std::pair<model::ResourcePtr, model::ResourcePtr>> policies;  // before, after; either may be null
  std::set<std::string> secrets;              // names of the mesh's secrets whose data changed
  std::set<std::string> other_meshes;         // names of other meshes of which anything else is seen
  MonotonicTime committed_at{};               // of the oldest change in it
};

}  // namespace kuma::mesh
