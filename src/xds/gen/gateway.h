#pragma once

#include <map>
#include <optional>
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
using Backend = MeshGatewayRoute::Backend;

// The policies with selectors that a gateway's clusters and routes depend on.
struct DestinationPolicies {
  model::ResourcePtr timeout;
  model::ResourcePtr retry;
  model::ResourcePtr circuit_breaker;
  model::ResourcePtr health_check;
  model::ResourcePtr rate_limit;
};

// A cluster that a host sends to.
struct Destination {
  std::string cluster;
  mesh::Tags tags;              // with kuma.io/service
  mesh::Protocol protocol = mesh::Protocol::Unknown;  // spoken to the other side
  bool leaves_mesh = false;     // by itself, without an egress: the other side gets no tags of ours
  DestinationPolicies policies;
};

// How the path of a rule's match is met.
struct RulePath {
  bool prefix = false;       // the route is for a prefix
  bool exact_twin = false;   // for the prefix itself, without what follows
};

// One route of Envoy: a match of a rule, or its twin.
struct HttpEntry {
  model::ResourcePtr route;        // the MeshGatewayRoute
  const HttpRule* rule = nullptr;  // of the route
  RulePath path;
  ::envoy::config::route::v3::RouteMatch match;
};

struct Host {
  std::string name;             // hostname, "*" for any
  const Listener* listener = nullptr;
  mesh::Tags tags;              // of the dataplane's gateway, the MeshGateway and the listener, the later ones winning
  mesh::ResourceList routes;    // MeshGatewayRoutes
  std::vector<HttpEntry> entries = {};  // of HTTP ports, once drop_unusable has seen them
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
  // What is wrong with the gateway's listeners of the port; they are left out. Validation refuses them, older peers may not.
  std::vector<std::string> problems = {};

  uint32_t number() const { return first->port(); }
  bool cross_mesh() const { return first->crossmesh(); }
  // Whatever it says, a listener for other meshes speaks HTTP.
  bool is_http() const {
    return cross_mesh() || first->protocol() == Listener::HTTP || first->protocol() == Listener::HTTPS;
  }
  // As policies know it: with TLS, it is unknown.
  mesh::Protocol protocol() const {
    return first->protocol() == Listener::HTTP  ? mesh::Protocol::Http
           : first->protocol() == Listener::TCP ? mesh::Protocol::Tcp
                                                : mesh::Protocol::Unknown;
  }
};

// Ports with their hosts and the routes of each, in the order of the gateway's listeners. Points into `gateway`.
std::vector<Port> plan_ports(const mesh::MeshView& view, const mesh::DataplaneView& dataplane, const model::Resource& gateway);

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

// All of a host, by MeshGatewayRoute, rule and match.
std::vector<HttpEntry> http_entries(const Host& host);
// Takes out of the port what Envoy would refuse all of it for: names that are none, entries of routes. Who is to blame is told.
void drop_unusable(Port& port, const model::ResourcePtr& gateway, std::vector<policy::Problem>& problems);
void apply_filters(const Port& port, const Host& host, const HttpEntry& entry, ::envoy::config::route::v3::Route& route);

}  // namespace kuma::xds::gateway
