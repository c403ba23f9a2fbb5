#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "mesh/endpoints.h"
#include "mesh/v1alpha1/externalservice.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "mesh/v1alpha1/zoneegress.pb.h"
#include "policy/egress.h"
#include "policy/envoy/external.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"
#include "policy/envoy/rbac.h"
#include "policy/envoy/tls.h"
#include "policy/legacy.h"
#include "policy/legacy_effects.h"
#include "xds/gen/proxy_context.h"
#include "xds/gen/zone_proxy.h"

namespace kuma::xds {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::listener::v3::FilterChain;
using ::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
using ::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
using mesh::v1alpha1::ExternalService;
using policy::Origin;
namespace make = policy::envoy;

// On every endpoint, so that those of several meshes are told apart.
constexpr char kMeshMetadata[] = "mesh";

// An external service of one mesh: all ExternalServices of this zone that offer it.
struct OutsideService {
  std::string name;
  std::vector<mesh::EndpointPtr> endpoints;
  mesh::Tags tags;  // of the last, which permissions are chosen by
  mesh::Protocol protocol = mesh::Protocol::Unknown;  // of the first
};

// FaultInjections and RateLimits of an external service, in the order in which they take effect.
struct Limits {
  mesh::ResourceList faults;
  mesh::ResourceList rates;
};

struct ExternalChain {
  std::string mesh;
  std::string service;
  std::string cluster;
  mesh::Protocol protocol = mesh::Protocol::Unknown;
  mesh::Tags tags;  // that the client asks for
  model::ResourcePtr permission;
  Limits limits;  // of HTTP
};

// Of all of the service's policies that one of its ExternalServices is a destination of, each once.
mesh::ResourceList limits_of(const mesh::ResourceList& policies, const OutsideService& service) {
  mesh::ResourceList all;
  for (const mesh::EndpointPtr& endpoint : service.endpoints) {
    const mesh::Tags tags = mesh::to_tags(endpoint->external_service->as<ExternalService>().tags());
    for (const model::ResourcePtr& one : policy::all_for_inbound(policies, tags)) {
      if (std::ranges::find(all, one) == all.end()) {
        all.push_back(one);
      }
    }
  }
  return all;
}

void add_http(const ExternalChain& from, FilterChain& chain) {
  make::Hcm hcm;
  hcm.set_stat_prefix(make::sanitize_stat(from.service));
  auto& config = *hcm.mutable_route_config();
  config.set_name("outbound:" + from.service);
  config.mutable_validate_clusters()->set_value(false);
  auto& host = *config.add_virtual_hosts();
  host.set_name(from.service);
  host.add_domains("*");
  auto& route = *host.add_routes();
  route.mutable_match()->set_prefix("/");
  route.mutable_route()->set_cluster(from.cluster);
  *route.mutable_route()->mutable_timeout() = make::to_duration(std::chrono::nanoseconds(0));
  make::add_router(hcm);
  for (const model::ResourcePtr& fault : from.limits.faults) {
    policy::inject_faults(*fault, hcm).IgnoreError();  // only those that can be used are there
  }
  for (const model::ResourcePtr& rate : from.limits.rates) {
    policy::limit_rate_by_source(*rate, hcm).IgnoreError();
  }
  make::add_filter(chain, make::kHttpConnectionManager, hcm);
}

void add_tcp(const ExternalChain& from, FilterChain& chain) {
  TcpProxy proxy;
  proxy.set_stat_prefix(make::sanitize_stat(from.service));
  proxy.set_cluster(from.cluster);
  auto& fields = *(*proxy.mutable_metadata_match()->mutable_filter_metadata())["envoy.lb"].mutable_fields();
  for (const auto& [key, value] : from.tags) {
    if (key != mesh::kServiceTag) {
      fields[key].set_string_value(value);
    }
  }
  fields[kMeshMetadata].set_string_value(from.mesh);
  make::add_filter(chain, make::kTcpProxy, proxy);
}

// mTLS ends here: who connects is known, and whether they may.
void terminate(const ExternalChain& from, FilterChain& chain) {
  make::add_filter(chain, make::kNetworkRbac, policy::permission_filter(from.permission.get(), from.mesh, from.service));
  if (mesh::is_http(from.protocol)) {
    add_http(from, chain);
  } else {
    add_tcp(from, chain);
  }
  *chain.mutable_transport_socket() = make::mesh_server_tls(from.mesh);
}

void make_external_cluster(const std::string& name, const make::ExternalCluster& external, mesh::Protocol protocol,
                           Cluster& cluster) {
  make::set_cluster_name(cluster, name);
  *cluster.mutable_connect_timeout() = make::to_duration(make::kConnectTimeoutDefault);
  make::set_external(external, cluster);
  if (!mesh::is_http(protocol)) {
    return;
  }
  HttpProtocolOptions options;
  if (protocol == mesh::Protocol::Http) {
    options.mutable_explicit_http_config()->mutable_http_protocol_options();
  } else {
    options.mutable_explicit_http_config()->mutable_http2_protocol_options();
  }
  make::pack(options, &(*cluster.mutable_typed_extension_protocol_options())[std::string(make::kHttpProtocolOptions)]);
}

// What an egress does for one mesh.
class MeshEgress {
 public:
  MeshEgress(ZoneProxyContext& context, const mesh::MeshView& view, std::vector<SniChain>& chains,
             std::vector<const model::Resource*>& shaped_by)
      : context_(context), view_(view), chains_(chains), shaped_by_(shaped_by) {
    locality_.local_zone = view.zone;
    locality_.prefer_local = view.mesh->as<mesh::v1alpha1::Mesh>().routing().localityawareloadbalancing();
  }

  // The services that it leads to.
  std::vector<policy::EgressService> run() {
    const std::map<std::string, std::vector<mesh::EndpointPtr>> remote = remote_services();
    const std::vector<OutsideService> outside = outside_services(remote);
    std::vector<mesh::Tags> available;
    for (const auto& [name, endpoints] : remote) {
      for (const mesh::EndpointPtr& endpoint : endpoints) {
        available.push_back(endpoint->tags);
      }
    }
    const SniDestinations destinations(view_, available);
    SniNames names(view_, destinations);
    std::vector<policy::EgressService> services;
    for (const auto& [name, endpoints] : remote) {
      put_passing_service(context_, Origin::Egress, view_, {name, endpoints}, locality_, names, chains_);
      services.push_back({name, {{std::string(mesh::kServiceTag), name}}, false});
    }
    if (!outside.empty() && !can_terminate()) {
      return services;
    }
    for (const OutsideService& service : outside) {
      if (put_outside(service, names)) {
        services.push_back({service.name, service.tags, true});
      }
    }
    return services;
  }

 private:
  static std::map<std::string, std::vector<mesh::EndpointPtr>> with_mesh(mesh::ZoneEndpoints::ByService by_service,
                                                                         const std::string& mesh) {
    std::map<std::string, std::vector<mesh::EndpointPtr>> result;
    for (auto& [service, endpoints] : by_service) {
      for (mesh::EndpointPtr& endpoint : endpoints) {
        auto copy = std::make_shared<mesh::Endpoint>(*endpoint);
        copy->tags[kMeshMetadata] = mesh;
        result[service].push_back(std::move(copy));
      }
    }
    return result;
  }

  // Other zones' services, as their ingresses offer them.
  std::map<std::string, std::vector<mesh::EndpointPtr>> remote_services() {
    return with_mesh(build({}, {}).remote, view_.name);
  }

  // ExternalServices that are of no zone or of this one, but for names that other zones' services have.
  std::vector<OutsideService> outside_services(const std::map<std::string, std::vector<mesh::EndpointPtr>>& remote) {
    mesh::ResourceList reachable;
    for (const model::ResourcePtr& resource : view_.policies_of("ExternalService")) {
      const auto& tags = resource->as<ExternalService>().tags();
      auto zone = tags.find(std::string(mesh::kZoneTag));
      if (zone == tags.end() || zone->second == view_.zone) {
        reachable.push_back(resource);
      }
    }
    std::vector<OutsideService> services;
    for (auto& [name, endpoints] : with_mesh(build({}, reachable).direct, view_.name)) {
      context_.inputs[view_.name].services.insert(name);
      if (remote.contains(name)) {
        continue;  // it is a service of the mesh first
      }
      OutsideService service{.name = name, .endpoints = endpoints, .tags = {}, .protocol = {}};
      service.tags = mesh::to_tags(endpoints.back()->external_service->as<ExternalService>().tags());
      service.protocol = mesh::parse_protocol(mesh::tag(endpoints.front()->tags, mesh::kProtocolTag));
      services.push_back(std::move(service));
    }
    return services;
  }

  mesh::ZoneEndpoints build(const mesh::ResourceList& egresses, const mesh::ResourceList& external) {
    return mesh::build_zone_endpoints({.mesh = view_.name,
                                       .local_zone = view_.zone,
                                       .mtls = view_.mtls_enabled(),
                                       .zone_egress = false,  // the egress itself goes on to ingresses and hosts
                                       .ingresses = view_.zone_ingresses,
                                       .egresses = egresses,
                                       .external_services = external});
  }

  // Without an identity nobody could connect, and Envoy would hold back the listener of all meshes until it has one.
  bool can_terminate() {
    std::string reason = view_.trust == nullptr ? "" : view_.trust->problem;
    if (auto found = context_.proxy.unusable_trusts.find(view_.name); found != context_.proxy.unusable_trusts.end()) {
      reason = found->second;
    }
    if (reason.empty()) {
      return true;
    }
    context_.resources.problems.push_back(
        {policy::ref_of(*view_.mesh), fmt::format("external services of the mesh are left out: {}", reason)});
    return false;
  }

  bool put_outside(const OutsideService& service, SniNames& names) {
    std::vector<SniNames::Name> taken = names.take({service.name, service.endpoints});
    if (taken.empty()) {
      return false;
    }
    std::string cluster = zone_cluster_name(view_.name, service.name);
    put_cluster(cluster, service);
    const auto* permission = policy::select_for_inbound(view_.policies_of("TrafficPermission"), service.tags);
    if (permission != nullptr) {
      shaped_by_.push_back(permission->get());
    }
    const Limits limits = mesh::is_http(service.protocol) ? usable_limits(service) : Limits{};
    for (const SniNames::Name& name : taken) {
      auto chain = std::make_shared<const ExternalChain>(
          ExternalChain{.mesh = view_.name,
                        .service = service.name,
                        .cluster = cluster,
                        .protocol = service.protocol,
                        .tags = name.tags,
                        .permission = permission == nullptr ? nullptr : *permission,
                        .limits = limits});
      // Policies by their content: the draft keeps a hash only, so nothing would hold the objects.
      policy::PieceKey key("external");
      key.add(service.protocol).add(chain->tags);
      key.add(permission == nullptr ? std::string() : make::serialize(policy::permission_filter(
                                                           permission->get(), view_.name, service.name)));
      for (const mesh::ResourceList* list : {&limits.faults, &limits.rates}) {
        key.add(list->size());
        for (const model::ResourcePtr& one : *list) {
          key.add(make::serialize(*one->message));
        }
      }
      chains_.push_back({.sni = name.sni,
                         .name = fmt::format("{}_{}", service.name, view_.name),
                         .stat_prefix = {},
                         .cluster = cluster,
                         .subset = {},
                         .key = key.text(),
                         .terminate = [chain](FilterChain& message) { terminate(*chain, message); }});
    }
    context_.resources.need_mesh_secrets(view_.name, view_.name);
    return true;
  }

  Limits usable_limits(const OutsideService& service) {
    Limits limits{.faults = {}, .rates = limits_of(view_.policies_of("RateLimit"), service)};
    for (const model::ResourcePtr& fault : limits_of(view_.policies_of("FaultInjection"), service)) {
      make::Hcm probe;
      make::add_router(probe);
      if (const absl::Status status = policy::inject_faults(*fault, probe); status.ok()) {
        limits.faults.push_back(fault);
      } else {
        context_.resources.problems.push_back({policy::ref_of(*fault), std::string(message_of(status))});
      }
    }
    for (const mesh::ResourceList* list : {&limits.faults, &limits.rates}) {
      for (const model::ResourcePtr& one : *list) {
        shaped_by_.push_back(one.get());
      }
    }
    return limits;
  }

  void put_cluster(const std::string& name, const OutsideService& service) {
    const std::string& address = context_.resource.as<mesh::v1alpha1::ZoneEgress>().networking().address();
    make::ExternalCluster external{
        .endpoints = make::load_external(service.endpoints, view_, context_.inputs[view_.name].data_secrets,
                                         context_.resources.problems),
        .locality = locality_,
        .ipv6 = is_ipv6_address(address)};
    policy::PieceKey key("egress-cluster");
    key.add(name).add(service.protocol);
    make::add_to_key(external, key);
    auto draft = own_draft<policy::ClusterDraft>(
        name, Origin::Egress, std::move(key),
        [name, external = std::move(external), protocol = service.protocol](Cluster& cluster) {
          make_external_cluster(name, external, protocol, cluster);
        });
    auto subject = std::make_shared<policy::Subject>();
    subject->service = service.name;
    subject->tags = service.tags;
    subject->tags[std::string(mesh::kMeshTag)] = view_.name;
    subject->protocol = service.protocol;
    draft.subject = std::move(subject);
    policy::ProxyResources::put(context_.resources.clusters, std::move(draft));
  }

  ZoneProxyContext& context_;
  const mesh::MeshView& view_;
  make::LocalityRules locality_;
  std::vector<SniChain>& chains_;
  std::vector<const model::Resource*>& shaped_by_;
};

}  // namespace

absl::Status generate_egress(ZoneProxyContext& context) {
  const auto& networking = context.resource.as<mesh::v1alpha1::ZoneEgress>().networking();
  std::vector<SniChain> chains;
  std::vector<const model::Resource*> shaped_by;
  std::vector<policy::EgressPolicies> policies;
  const std::string listener = make::inbound_listener_name(networking.address(), networking.port());
  for (const mesh::MeshViewPtr& view : context.zone.meshes) {
    if (view->zone_egress_enabled()) {
      context.inputs[view->name];  // its policies matter even before it has services
      policies.emplace_back(*view, listener, MeshEgress(context, *view, chains, shaped_by).run());
    }
  }
  put_zone_listener(context, Origin::Egress, networking.address(), networking.port(), std::move(chains), shaped_by);
  for (const policy::EgressPolicies& of_mesh : policies) {
    for (const policy::Policy& one : policy::policies()) {
      if (one.apply_egress != nullptr) {
        one.apply_egress(of_mesh, context.resources);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace kuma::xds
