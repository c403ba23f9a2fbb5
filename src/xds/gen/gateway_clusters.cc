#include <optional>

#include "base/text.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "policy/envoy/destinations.h"
#include "policy/envoy/external.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"
#include "policy/legacy_effects.h"
#include "xds/gen/gateway.h"
#include "xds/gen/gateway_policies.h"

namespace kuma::xds::gateway {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
using mesh::Protocol;
namespace make = policy::envoy;

constexpr uint32_t kBufferBytes = 32 * 1024;
constexpr uint32_t kStreamWindowBytes = 64 * 1024;
constexpr uint32_t kConnectionWindowBytes = 1024 * 1024;
// A backend that the Kubernetes Gateway API names and nobody has: requests get an error, no cluster is made.
constexpr std::string_view kUnresolved = "kuma.io/unresolved-backend";

// The same service has a cluster for each listener, for policies may tell them apart.
std::string cluster_name(const mesh::Tags& destination, const mesh::Tags& listener) {
  std::string text;
  for (const mesh::Tags* tags : {&destination, &listener}) {
    for (const auto& [key, value] : *tags) {
      text += key + value;
    }
  }
  return fmt::format("{}-{}", mesh::tag(destination, mesh::kServiceTag), to_hex(sha256(text).substr(0, 8)));
}

struct ClusterSpec {
  Destination destination;
  std::optional<make::MeshClientTls> tls;
  std::optional<make::ExternalCluster> external;
};

void set_options(const ClusterSpec& from, Cluster& cluster) {
  Protocol protocol = from.destination.protocol;
  if (!mesh::is_http(protocol)) {
    return;
  }
  HttpProtocolOptions options;
  auto timeouts = policy::outbound_timeouts(from.destination.policies.timeout.get(), protocol);
  auto& common = *options.mutable_common_http_protocol_options();
  *common.mutable_idle_timeout() = make::to_duration(timeouts.http_idle);
  if (timeouts.stream_duration_max) {
    *common.mutable_max_stream_duration() = make::to_duration(*timeouts.stream_duration_max);
  }
  if (protocol == Protocol::Http) {
    options.mutable_explicit_http_config()->mutable_http_protocol_options();
  } else {
    auto& http2 = *options.mutable_explicit_http_config()->mutable_http2_protocol_options();
    http2.mutable_initial_stream_window_size()->set_value(kStreamWindowBytes);
    http2.mutable_initial_connection_window_size()->set_value(kConnectionWindowBytes);
  }
  make::pack(options, &(*cluster.mutable_typed_extension_protocol_options())[std::string(make::kHttpProtocolOptions)]);
}

void make_cluster(const ClusterSpec& from, Cluster& cluster) {
  const DestinationPolicies& policies = from.destination.policies;
  if (from.external) {
    // As any client of the service has it, under the name of the host's cluster.
    make::set_cluster_name(cluster, mesh::tag(from.destination.tags, mesh::kServiceTag));
    make::set_external(*from.external, cluster);
    cluster.set_name(from.destination.cluster);
  } else {
    make::set_cluster_name(cluster, from.destination.cluster);
    cluster.set_type(Cluster::EDS);
    auto& eds = *cluster.mutable_eds_cluster_config()->mutable_eds_config();
    eds.mutable_ads();
    eds.set_resource_api_version(::envoy::config::core::v3::ApiVersion::V3);
  }
  cluster.mutable_per_connection_buffer_limit_bytes()->set_value(kBufferBytes);
  *cluster.mutable_connect_timeout() =
      make::to_duration(policy::outbound_timeouts(policies.timeout.get(), from.destination.protocol).connect);
  set_options(from, cluster);
  policy::apply_circuit_breaker(policies.circuit_breaker.get(), cluster);
  policy::apply_health_check(policies.health_check.get(), from.destination.protocol, cluster);
  if (from.tls) {
    *cluster.mutable_transport_socket() = make::mesh_client_tls(*from.tls);
  }
}

class DestinationMaker {
 public:
  DestinationMaker(ProxyContext& context, const model::ResourcePtr& gateway, const Port& port)
      : context_(context), gateway_(gateway), port_(port), destinations_(context.view, context.resources) {
    locality_.local_zone = context.view.zone;
    locality_.prefer_local = context.view.mesh->as<mesh::v1alpha1::Mesh>().routing().localityawareloadbalancing();
  }

  void make_host(Host& host) {
    const HostPolicies policies(context_.view, host.tags);
    for (const model::ResourcePtr& route : host.routes) {
      for_each_backend(route->as<MeshGatewayRoute>(), [&](const Backend& backend) {
        mesh::Tags tags = mesh::to_tags(backend.destination());
        tell_if_nobody(route, tags);
        if (!host.destinations.contains(tags) && mesh::tag(tags, mesh::kServiceTag) != kUnresolved) {
          put(host, tags, policies.select(tags));
        }
      });
    }
  }

 private:
  // What the route says, whatever the instances do.
  Protocol protocol_of(const mesh::Tags& tags) const {
    Protocol given = mesh::parse_protocol(mesh::tag(tags, mesh::kProtocolTag));
    return given != Protocol::Unknown ? given : port_.is_http() ? Protocol::Http : Protocol::Tcp;
  }

  template <typename Visit>
  static void for_each_backend(const MeshGatewayRoute& route, Visit visit) {
    for (const auto& rule : route.conf().http().rules()) {
      for (const auto& backend : rule.backends()) {
        visit(backend);
      }
      for (const auto& filter : rule.filters()) {
        if (filter.has_mirror()) {
          visit(filter.mirror().backend());
        }
      }
    }
    for (const auto& rule : route.conf().tcp().rules()) {
      for (const auto& backend : rule.backends()) {
        visit(backend);
      }
    }
  }

  // That a route leads nowhere is no error: who is missing may come.
  void tell_if_nobody(const model::ResourcePtr& route, const mesh::Tags& tags) {
    const std::string_view service = mesh::tag(tags, mesh::kServiceTag);
    if (destinations_.find(tags) == nullptr) {
      context_.resources.problems.push_back(
          {policy::ref_of(*route),
           service == kUnresolved ? "a backend is not known: its requests are answered with 500"
                                  : fmt::format("nobody offers the service \"{}\": its requests are answered with 503", service)});
    }
  }

  void put(Host& host, const mesh::Tags& tags, DestinationPolicies policies) {
    const mesh::ServicePtr service = destinations_.find(tags);
    std::optional<make::ExternalCluster> external = outside(tags);
    const Destination& destination =
        host.destinations
            .emplace(tags, Destination{.cluster = cluster_name(tags, host.tags),
                                       .tags = tags,
                                       .protocol = protocol_of(tags),
                                       .leaves_mesh = external.has_value(),
                                       .policies = std::move(policies)})
            .first->second;
    if (!external) {
      auto endpoints = make::draft_endpoints(destination.cluster, tags, service, locality_);
      endpoints.origin = policy::Origin::Gateway;
      policy::ProxyResources::put(context_.resources.endpoints, std::move(endpoints));
    }
    // Every instance is taken to be ready for mTLS, in a PERMISSIVE mesh too.
    auto tls = external ? std::nullopt : destinations_.tls_of(tags, service.get(), true);
    if (tls) {
      context_.resources.need_mesh_secrets(tls->mesh, tls->peer_mesh);
    }
    put_cluster({.destination = destination, .tls = std::move(tls), .external = std::move(external)});
  }

  // The addresses outside of the mesh that have the destination's tags; nothing for a service of the mesh.
  std::optional<make::ExternalCluster> outside(const mesh::Tags& tags) {
    auto external = destinations_.external(tags);
    if (external) {
      std::erase_if(external->endpoints, [&](const auto& one) { return !make::has_tags(*one.endpoint, tags); });
    }
    return external;
  }

  void put_cluster(ClusterSpec from) {
    auto spec = std::make_shared<const ClusterSpec>(std::move(from));
    const Destination& destination = spec->destination;
    auto subject = std::make_shared<policy::Subject>();
    subject->service = std::string(mesh::tag(destination.tags, mesh::kServiceTag));
    subject->tags = destination.tags;
    subject->protocol = destinations_.protocol_of(destination.tags).value_or(Protocol::Unknown);
    subject->address = port_.address;
    subject->port = port_.number();
    policy::PieceKey key("gateway-cluster");
    key.add(destination.cluster).add(destination.tags).add(destination.protocol).add(subject->protocol);
    const DestinationPolicies& policies = destination.policies;
    key.add(policies.timeout).add(policies.circuit_breaker).add(policies.health_check);
    key.add(spec->tls.has_value()).add(spec->external.has_value());
    if (spec->tls) {
      key.add(spec->tls->mesh).add(spec->tls->peer_mesh).add(spec->tls->peer_identity).add(spec->tls->sni);
    }
    if (spec->external) {
      make::add_to_key(*spec->external, key);
    }
    auto cluster = own_draft<policy::ClusterDraft>(destination.cluster, policy::Origin::Gateway, std::move(key),
                                                   [spec](Cluster& message) { make_cluster(*spec, message); });
    cluster.subject = std::move(subject);
    cluster.shaped(&gateway_);
    for (const model::ResourcePtr* policy : {&policies.timeout, &policies.circuit_breaker, &policies.health_check}) {
      cluster.shaped(policy);
    }
    policy::ProxyResources::put(context_.resources.clusters, std::move(cluster));
  }

  ProxyContext& context_;
  const model::ResourcePtr& gateway_;
  const Port& port_;
  make::Destinations destinations_;
  make::LocalityRules locality_;
};

}  // namespace

void put_destinations(ProxyContext& context, const model::ResourcePtr& gateway, Port& port) {
  DestinationMaker maker(context, gateway, port);
  for (Host& host : port.hosts) {
    maker.make_host(host);
  }
}

}  // namespace kuma::xds::gateway
