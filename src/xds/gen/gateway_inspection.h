#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mesh/mesh_view.h"

namespace kuma::xds {

// What a builtin gateway does, and which policies with selectors it does it by: what its configuration is made from, for those
// who want to know (spec/rest-api.md §8.1). Policies that are chosen but have no effect on gateways (FaultInjection) are told too.

struct GatewayDestination {
  mesh::Tags tags;
  std::map<std::string_view, model::ResourcePtr> policies;  // by type
};

// A match of a rule: one route of Envoy's.
struct GatewayEntry {
  std::string route;                             // name of the MeshGatewayRoute
  std::vector<GatewayDestination> destinations;  // of requests, in the order of the rule; none where they are redirected
  std::vector<GatewayDestination> mirrors;
};

struct GatewayHost {
  std::string name;
  std::vector<GatewayEntry> entries;
};

struct GatewayListener {
  uint32_t port = 0;
  std::string protocol;            // HTTP, HTTPS, TCP, TLS
  std::vector<GatewayHost> hosts;  // in the order in which Envoy has them
};

struct GatewayInspection {
  model::ResourcePtr gateway;              // the MeshGateway; null: none is for the dataplane
  std::vector<GatewayListener> listeners;
  std::map<std::string_view, model::ResourcePtr> policies;  // of all of it, by type: TrafficLog, TrafficTrace
};

// `dataplane` is a builtin gateway's.
GatewayInspection inspect_gateway(const mesh::MeshView& view, const mesh::DataplaneView& dataplane);

}  // namespace kuma::xds
