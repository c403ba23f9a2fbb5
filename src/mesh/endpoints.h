#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mesh/mesh_view.h"

namespace kuma::mesh {

// Turns the host of an address into an IP: the text itself when it is one, nothing when it does not resolve.
using Resolve = std::function<std::optional<std::string>(const std::string& host)>;

// A Dataplane as the builder keeps it.
struct DataplaneState {
  model::ResourcePtr resource;
  DataplanePtr view;                                       // null: an address does not resolve
  std::vector<std::string> services;                       // of all its tag sets, sorted, each once
  std::vector<std::pair<std::string, EndpointPtr>> ready;  // service and endpoint of each inbound that takes traffic
};
using DataplaneStatePtr = std::shared_ptr<const DataplaneState>;

// `weight`: of each of its endpoints.
DataplaneState build_dataplane(const model::ResourcePtr& resource, const Resolve& resolve, uint32_t weight);

// The endpoints of a mesh that don't come from its dataplanes, by service.
struct ZoneEndpoints {
  using ByService = std::map<std::string, std::vector<EndpointPtr>, std::less<>>;
  ByService remote;          // other zones' services, by way of their ingresses or of our egresses
  ByService through_egress;  // external services, when the mesh sends them through egresses
  ByService direct;          // external services otherwise
  // Weight of an endpoint of this zone: so many ingresses each count for all instances of their zone.
  uint32_t local_weight = 1;
};

struct ZoneInputs {
  std::string mesh;
  std::string local_zone;
  bool mtls = false;
  bool zone_egress = false;
  const ResourceList& ingresses;  // addresses resolved, by name
  const ResourceList& egresses;
  const ResourceList& external_services;
};

ZoneEndpoints build_zone_endpoints(const ZoneInputs& inputs);

// What the ingresses of other zones offer of the mesh, as endpoints.
enum class RemoteOffer { All, Gateways };  // Gateways: only those of its gateways' listeners that other meshes may use
struct RemoteEndpoints {
  ZoneEndpoints::ByService by_service;
  uint32_t local_weight = 1;  // see ZoneEndpoints
};
RemoteEndpoints build_remote_endpoints(const ZoneInputs& inputs, RemoteOffer offer);

// A ZoneIngress or ZoneEgress with IPs for hosts; null when it can't be used by anybody (an address does not resolve).
model::ResourcePtr resolve_zone_ingress(const model::ResourcePtr& resource, const Resolve& resolve);
model::ResourcePtr resolve_zone_egress(const model::ResourcePtr& resource, const Resolve& resolve);

// The hosts in a Dataplane's, ZoneIngress' or ZoneEgress' addresses that are no IPs.
std::vector<std::string> hosts_of(const model::Resource& resource);

}  // namespace kuma::mesh
