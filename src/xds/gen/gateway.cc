#include "xds/gen/gateway.h"

#include <algorithm>

#include "base/status.h"
#include "envoy/service/runtime/v3/rtds.pb.h"
#include "policy/envoy/names.h"
#include "xds/gen/gateway_policies.h"

namespace kuma::xds {
namespace gateway {
namespace {

constexpr char kAnyHost[] = "*";

const auto& gateway_tags(const mesh::DataplaneView& dataplane) {
  return dataplane.resource->as<mesh::v1alpha1::Dataplane>().networking().gateway().tags();
}

mesh::Tags tags_of(const mesh::DataplaneView& dataplane, const MeshGateway& gateway, const Listener& listener) {
  mesh::Tags tags = mesh::to_tags(listener.tags());  // insert keeps what is there: the narrower tag wins
  tags.insert(gateway.tags().begin(), gateway.tags().end());
  const auto& own = gateway_tags(dataplane);
  tags.insert(own.begin(), own.end());
  return tags;
}

mesh::ResourceList routes_for(const mesh::MeshView& view, const mesh::Tags& tags, bool http) {
  mesh::ResourceList routes;
  for (const auto& route : view.policies_of("MeshGatewayRoute")) {
    if (route->as<MeshGatewayRoute>().conf().has_http() == http &&
        policy::best_rank(*route, policy::SelectorList::Selectors, {tags})) {
      routes.push_back(route);
    }
  }
  return routes;
}

const google::protobuf::RepeatedPtrField<std::string>& hostnames_of(const model::Resource& route) {
  return route.as<MeshGatewayRoute>().conf().http().hostnames();
}

void add_once(const model::ResourcePtr& route, mesh::ResourceList& routes) {
  if (std::ranges::find(routes, route) == routes.end()) {
    routes.push_back(route);
  }
}

// Routes for names that a listener for any name has go to the hosts of these names, and to those within their wildcards.
void spread_wildcard_routes(std::vector<Host>& hosts) {
  auto any = std::ranges::find(hosts, kAnyHost, &Host::name);
  if (any == hosts.end()) {
    return;
  }
  const Host original = *any;
  any->routes.clear();
  for (const auto& route : original.routes) {
    if (hostnames_of(*route).empty()) {
      add_once(route, std::ranges::find(hosts, kAnyHost, &Host::name)->routes);
    }
    for (const std::string& name : hostnames_of(*route)) {
      auto host = std::ranges::find(hosts, name, &Host::name);
      if (host == hosts.end()) {
        hosts.push_back(original);
        host = hosts.end() - 1;
        host->name = name;
        host->routes.clear();
      }
      add_once(route, host->routes);
      for (Host& other : hosts) {
        if (name.starts_with("*.") && other.name != name && other.name.ends_with(name.substr(1))) {
          add_once(route, other.routes);
        }
      }
    }
  }
}

// Whether a host serves names of a route: one of them is its own, or the first label of either stands for any.
bool takes(const Host& host, const model::Resource& route) {
  auto rest = [](std::string_view name) {
    size_t dot = name.find('.');
    return dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
  };
  auto is_wildcard = [](std::string_view name) { return name.starts_with("*."); };
  return host.name == kAnyHost || hostnames_of(route).empty() ||
         std::ranges::any_of(hostnames_of(route), [&](const std::string& name) {
           return name == host.name || ((is_wildcard(name) || is_wildcard(host.name)) && rest(name) == rest(host.name));
         });
}

}  // namespace

std::vector<Port> plan_ports(const mesh::MeshView& view, const mesh::DataplaneView& dataplane, const model::Resource& resource) {
  const auto& gateway = resource.as<MeshGateway>();
  std::vector<Port> ports;
  const mesh::Tags own = mesh::to_tags(gateway_tags(dataplane));
  for (const Listener& listener : gateway.conf().listeners()) {
    auto port = std::ranges::find(ports, listener.port(), &Port::number);
    if (port == ports.end()) {
      ports.push_back({.name = fmt::format("{}:{}:{}", resource.meta.name, Listener::Protocol_Name(listener.protocol()), listener.port()),
                       .service = std::string(mesh::tag(own, mesh::kServiceTag)),
                       .mesh = view.name,
                       .address = dataplane.address,
                       .tags_header = policy::envoy::tags_header({own}),
                       .first = &listener,
                       .hosts = {}});
      port = ports.end() - 1;
    }
    Host host;
    host.name = listener.hostname().empty() ? kAnyHost : listener.hostname();
    if (listener.protocol() != port->first->protocol()) {
      port->problems.push_back(fmt::format("the listener \"{}\" of port {} is left out: it is {}, others of the port are {}", host.name,
                                           listener.port(), Listener::Protocol_Name(listener.protocol()),
                                           Listener::Protocol_Name(port->first->protocol())));
      continue;
    }
    if (std::ranges::find(port->hosts, host.name, &Host::name) != port->hosts.end()) {
      port->problems.push_back(
          fmt::format("a listener \"{}\" of port {} is left out: there is another one for the host", host.name, listener.port()));
      continue;
    }
    host.listener = &listener;
    host.tags = tags_of(dataplane, gateway, listener);
    host.routes = routes_for(view, host.tags, port->is_http());
    port->hosts.push_back(std::move(host));
  }
  for (Port& port : ports) {
    if (port.is_http()) {
      spread_wildcard_routes(port.hosts);
    }
    for (Host& host : port.hosts) {
      std::erase_if(host.routes, [&](const model::ResourcePtr& route) { return port.is_http() && !takes(host, *route); });
    }
    std::ranges::stable_sort(port.hosts, std::ranges::greater(), &Host::name);
  }
  return ports;
}

policy::PieceKey key_of(std::string_view kind, const model::ResourcePtr& gateway, const Port& port) {
  policy::PieceKey key(kind);
  key.add(port.name).add(port.service).add(port.mesh).add(port.address).add(port.tags_header).add(gateway);
  for (const Host& host : port.hosts) {
    key.add(host.name).add(host.tags).add(host.routes.size());
    for (const auto& route : host.routes) {
      key.add(route);
    }
    for (const std::string& certificate : host.certificates) {
      key.add(certificate);
    }
    for (const auto& [tags, destination] : host.destinations) {
      key.add(destination.cluster).add(destination.leaves_mesh);
      key.add(destination.policies.timeout).add(destination.policies.retry).add(destination.policies.rate_limit);
    }
  }
  return key;
}

namespace {

// A host whose certificate can't be used is left out: its clients would be refused anyway, those of the others need not.
void resolve_certificates(ProxyContext& context, const model::ResourcePtr& gateway, Port& port) {
  std::erase_if(port.hosts, [&](Host& host) {
    const bool terminates = host.listener->tls().mode() == MeshGateway::TLS::TERMINATE;
    if (port.cross_mesh() || (!terminates && port.first->protocol() != Listener::HTTPS)) {
      return false;
    }
    absl::StatusOr<std::vector<std::string>> names = absl::InvalidArgumentError("HTTPS needs certificates and the mode TERMINATE");
    if (terminates) {
      names = put_certificates(context, host);
    }
    if (!names.ok()) {
      context.resources.problems.push_back(
          {policy::ref_of(*gateway), fmt::format("the host \"{}\" of port {} is left out: {}", host.name, port.number(),
                                                 message_of(names.status()))});
      return true;
    }
    host.certificates = *std::move(names);
    return false;
  });
}

void put_port(ProxyContext& context, const model::ResourcePtr& gateway, Port port) {
  drop_unusable(port, gateway, context.resources.problems);
  resolve_certificates(context, gateway, port);
  if (port.hosts.empty()) {
    return;
  }
  if (port.cross_mesh()) {
    using Kind = policy::SecretRef::Kind;
    context.resources.need_mesh_secrets(port.mesh, port.mesh);
    context.resources.secrets.insert({Kind::AllCas, port.mesh, "mesh_ca:secret:all"});
  }
  put_destinations(context, gateway, port);
  auto subject = std::make_shared<policy::Subject>();
  subject->service = port.service;
  subject->tags = port.hosts.front().tags;
  subject->protocol = port.protocol();
  subject->address = port.address;
  subject->port = port.number();
  auto shared = std::make_shared<const Port>(std::move(port));
  // `gateway` is what shared->first points into.
  auto listener = own_draft<policy::ListenerDraft>(
      shared->name, policy::Origin::Gateway, key_of("gateway-listener", gateway, *shared),
      [shared, gateway](::envoy::config::listener::v3::Listener& message) { make_listener(*shared, message); });
  listener.subject = subject;
  listener.shaped(&gateway);
  policy::ProxyResources::put(context.resources.listeners, std::move(listener));
  if (!shared->is_http()) {
    return;
  }
  auto routes = own_draft<policy::RouteDraft>(
      shared->name, policy::Origin::Gateway, key_of("gateway-routes", gateway, *shared),
      [shared, gateway](::envoy::config::route::v3::RouteConfiguration& message) { make_routes(*shared, message); });
  routes.subject = subject;
  routes.shaped(&gateway);
  for (const Host& host : shared->hosts) {
    for (const auto& route : host.routes) {
      routes.shaped(&route);
      for (const HttpRule& rule : route->as<MeshGatewayRoute>().conf().http().rules()) {
        const DestinationPolicies policies = policies_of_rule(host, rule);
        for (const model::ResourcePtr* policy : {&policies.timeout, &policies.retry, &policies.rate_limit}) {
          routes.shaped(policy);
        }
      }
    }
  }
  policy::ProxyResources::put(context.resources.routes, std::move(routes));
}

// How many connections each listener takes, which Envoy wants as runtime values.
void put_limits(ProxyContext& context, const std::vector<Port>& ports) {
  std::map<std::string, uint32_t> limits;
  for (const Port& port : ports) {
    if (uint32_t limit = port.first->resources().connection_limit(); limit > 0) {
      limits[fmt::format("envoy.resource_limits.listener.{}.connection_limit", port.name)] = limit;
    }
  }
  policy::PieceKey key("gateway-limits");
  for (const auto& [name, limit] : limits) {
    key.add(name).add(limit);
  }
  policy::ProxyResources::put(context.runtimes,
                              own_draft<RuntimeDraft>("gateway.listeners", policy::Origin::Gateway, std::move(key),
                                                      [limits](::envoy::service::runtime::v3::Runtime& runtime) {
                                                        runtime.set_name("gateway.listeners");
                                                        auto& fields = *runtime.mutable_layer()->mutable_fields();
                                                        for (const auto& [name, limit] : limits) {
                                                          fields[name].set_number_value(limit);
                                                        }
                                                      }));
}

}  // namespace
}  // namespace gateway

absl::Status generate_gateway(ProxyContext& context) {
  const model::ResourcePtr* found = policy::select_for_dataplane(context.view.policies_of("MeshGateway"), context.dataplane);
  std::vector<gateway::Port> ports;
  if (found != nullptr) {
    ports = gateway::plan_ports(context.view, context.dataplane, **found);
  }
  gateway::put_limits(context, ports);
  for (gateway::Port& port : ports) {
    if (port.cross_mesh() && !context.view.mtls_enabled()) {
      context.resources.problems.push_back(
          {policy::ref_of(**found), fmt::format("port {} is left out: mTLS must be enabled for crossMesh-enabled MeshGateways",
                                                port.number())});
      continue;
    }
    gateway::put_port(context, *found, std::move(port));
  }
  return absl::OkStatus();
}

}  // namespace kuma::xds
