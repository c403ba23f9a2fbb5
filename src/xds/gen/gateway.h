#pragma once

#include <map>
#include <string>
#include <vector>

#include "envoy/config/route/v3/route_components.pb.h"
#include "mesh/v1alpha1/gateway.pb.h"
#include "mesh/v1alpha1/gateway_route.pb.h"
#include "policy/legacy.h"
#include "xds/gen/proxy_context.h"

namespace kuma::xds::gateway {

// The parts of a builtin gateway's configuration (spec/gateway.md): its MeshGateway's listeners are collapsed by port; each
// hostname of a port is a host with routes, each destination of a route a cluster of the host.

using mesh::v1alpha1::MeshGateway;
using mesh::v1alpha1::MeshGatewayRoute;
using Listener = MeshGateway::Listener;
using HttpRule = MeshGatewayRoute::HttpRoute::Rule;

// The policies with selectors that a gateway's clusters and routes depend on.
struct DestinationPolicies {
  model::ResourcePtr timeout;
  model::ResourcePtr retry;
  model::ResourcePtr circuit_breaker;
};

// A cluster that a host sends to.
struct Destination {
  std::string cluster;
  mesh::Tags tags;              // with kuma.io/service
  mesh::Protocol protocol = mesh::Protocol::Unknown;  // spoken to the other side
  bool leaves_mesh = false;     // without an egress: it gets no tags of ours
  DestinationPolicies policies;
};

struct Host {
  std::string name;             // hostname, "*" for any
  const Listener* listener = nullptr;
  mesh::Tags tags;              // of the dataplane's gateway, the MeshGateway and the listener, the later ones winning
  mesh::ResourceList routes;    // MeshGatewayRoutes
  std::vector<std::string> certificates;  // names of secrets, of listeners that terminate TLS
  std::map<mesh::Tags, Destination> destinations;  // by the tags that routes write
};

// All listeners of one port: one listener of Envoy.
struct Port {
  std::string name;             // edge:HTTP:8080
  std::string service;          // of the gateway
  std::string mesh;
  std::string address;
  std::string tags_header;      // what the gateway tells servers of itself
  const Listener* first = nullptr;  // decides what all have in common
  std::vector<Host> hosts;      // by name, descending

  uint32_t number() const { return first->port(); }
  bool is_http() const { return first->protocol() == Listener::HTTP || first->protocol() == Listener::HTTPS; }
  bool cross_mesh() const { return first->crossmesh(); }
};

// Ports with their hosts and the routes of each, in the order of the gateway's listeners. Points into `gateway`.
std::vector<Port> plan_ports(const ProxyContext& context, const model::Resource& gateway);

// Fills the hosts' destinations, and puts their clusters and endpoints.
void put_destinations(ProxyContext& context, const model::ResourcePtr& gateway, Port& port);

// The names of the secrets with a host's certificates, which it puts. An error says which one can't be used, and why.
absl::StatusOr<std::vector<std::string>> put_certificates(ProxyContext& context, const Host& host);

void make_listener(const Port& port, ::envoy::config::listener::v3::Listener& listener);
void make_routes(const Port& port, ::envoy::config::route::v3::RouteConfiguration& config);
// What the port's making depends on.
policy::PieceKey key_of(std::string_view kind, const model::ResourcePtr& gateway, const Port& port);

// A host's routes in the order in which Envoy tries them, ready but for policies.
std::vector<::envoy::config::route::v3::Route> build_routes(const Port& port, const Host& host);
// Filters of a rule; see build_routes.
struct RulePath {
  bool prefix = false;       // the route is for a prefix
  bool exact_twin = false;   // for the prefix itself, without what follows
};
void apply_filters(const Port& port, const Host& host, const HttpRule& rule, RulePath path,
                   ::envoy::config::route::v3::Route& route);

}  // namespace kuma::xds::gateway
