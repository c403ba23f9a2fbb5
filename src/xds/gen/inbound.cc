#include <string>

#include "base/text.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"
#include "policy/envoy/tls.h"
#include "policy/legacy.h"
#include "policy/legacy_effects.h"
#include "xds/gen/proxy_context.h"

namespace kuma::xds {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::core::v3::TrafficDirection;
using ::envoy::config::listener::v3::FilterChain;
using ::envoy::config::listener::v3::Listener;
using ::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using ::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
using ::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
using mesh::Protocol;
namespace make = policy::envoy;

// Twice what clients have by default, so that it is them who give up first. No policy with selectors changes them.
constexpr std::chrono::hours kIdleTimeout{2};
constexpr std::chrono::hours kStreamIdleTimeout{1};

// Who the application sees as its client, when connections are redirected: an address that is exempt from redirection.
constexpr char kSourceV4[] = "127.0.0.6";
constexpr char kSourceV6[] = "::6";

enum class MtlsMode { Off, Strict, Permissive };

struct InboundSpec {
  std::string address;
  uint32_t port = 0;
  std::string workload_address;
  uint32_t workload_port = 0;
  bool transparent = false;
  mesh::Tags tags;
  Protocol protocol = Protocol::Unknown;
  MtlsMode mtls = MtlsMode::Off;
  std::string mesh;
  model::ResourcePtr permission;  // null: nobody may connect

  std::string cluster() const { return make::local_cluster_name(workload_port); }
  std::string service() const { return std::string(mesh::tag(tags, mesh::kServiceTag)); }
};

void make_cluster(const InboundSpec& from, Cluster& cluster) {
  make::set_cluster_name(cluster, from.cluster());
  make::set_static_endpoint(cluster, from.workload_address, from.workload_port);
  if (from.transparent) {
    auto& source = *cluster.mutable_upstream_bind_config()->mutable_source_address();
    source.set_address(is_ipv6_address(from.workload_address) ? kSourceV6 : kSourceV4);
    source.set_port_value(0);
  }
  if (!mesh::is_http(from.protocol)) {
    return;
  }
  HttpProtocolOptions options;
  *options.mutable_common_http_protocol_options()->mutable_idle_timeout() = make::to_duration(kIdleTimeout);
  if (from.protocol == Protocol::Http) {
    options.mutable_explicit_http_config()->mutable_http_protocol_options();
  } else {
    options.mutable_explicit_http_config()->mutable_http2_protocol_options();
  }
  make::pack(options, &(*cluster.mutable_typed_extension_protocol_options())[std::string(make::kHttpProtocolOptions)]);
}

void add_http(const InboundSpec& from, FilterChain& chain) {
  make::Hcm hcm;
  hcm.set_stat_prefix(make::sanitize_stat(from.cluster()));
  hcm.set_forward_client_cert_details(HttpConnectionManager::SANITIZE_SET);
  hcm.mutable_set_current_client_cert_details()->set_uri(true);
  *hcm.mutable_stream_idle_timeout() = make::to_duration(kStreamIdleTimeout);
  *hcm.mutable_common_http_protocol_options()->mutable_idle_timeout() = make::to_duration(kIdleTimeout);
  auto& config = *hcm.mutable_route_config();
  config.set_name("inbound:" + from.service());
  config.mutable_validate_clusters()->set_value(false);
  config.add_request_headers_to_remove(std::string(make::kTagsHeader));
  auto& host = *config.add_virtual_hosts();
  host.set_name(from.service());
  host.add_domains("*");
  auto& route = *host.add_routes();
  route.mutable_match()->set_prefix("/");
  route.mutable_route()->set_cluster(from.cluster());
  *route.mutable_route()->mutable_timeout() = make::to_duration(std::chrono::nanoseconds(0));
  if (from.protocol == Protocol::Grpc) {
    make::add_grpc_stats(hcm);
  }
  make::add_router(hcm);
  make::add_filter(chain, make::kHttpConnectionManager, hcm);
}

void add_tcp(const InboundSpec& from, FilterChain& chain) {
  std::string stat_prefix = make::sanitize_stat(from.cluster());
  if (from.protocol == Protocol::Kafka) {
    make::add_kafka_broker(chain, stat_prefix);
  }
  TcpProxy proxy;
  proxy.set_stat_prefix(std::move(stat_prefix));
  proxy.set_cluster(from.cluster());
  *proxy.mutable_idle_timeout() = make::to_duration(kIdleTimeout);
  make::add_filter(chain, make::kTcpProxy, proxy);
}

void add_application(const InboundSpec& from, FilterChain& chain) {
  if (mesh::is_http(from.protocol)) {
    add_http(from, chain);
  } else {
    add_tcp(from, chain);
  }
}

// Clients with an identity of the mesh, of whom the permission lets some in.
void add_mesh_application(const InboundSpec& from, const Listener& listener, FilterChain& chain) {
  policy::envoy::Rbac rbac = policy::permission_filter(from.permission.get(), from.mesh, listener.name());
  make::add_filter(chain, make::kNetworkRbac, rbac);
  add_application(from, chain);
  *chain.mutable_transport_socket() = make::mesh_server_tls(from.mesh);
}

void make_listener(const InboundSpec& from, Listener& listener) {
  set_inbound_listener(listener, make::inbound_listener_name(from.address, from.port), from.address, from.port);
  if (from.transparent) {
    listener.mutable_bind_to_port()->set_value(false);
  }
  make::set_tags_metadata(listener, from.tags);
  switch (from.mtls) {
    case MtlsMode::Off:
      add_application(from, *listener.add_filter_chains());
      return;
    case MtlsMode::Strict:
      add_mesh_application(from, listener, *listener.add_filter_chains());
      return;
    case MtlsMode::Permissive:
      break;
  }
  make::add_tls_inspector(listener);
  FilterChain& plain = *listener.add_filter_chains();
  plain.mutable_filter_chain_match()->set_transport_protocol("raw_buffer");
  add_application(from, plain);
  FilterChain& own_tls = *listener.add_filter_chains();  // the application's
  own_tls.mutable_filter_chain_match()->set_transport_protocol("tls");
  add_application(from, own_tls);
  FilterChain& mesh_tls = *listener.add_filter_chains();
  mesh_tls.mutable_filter_chain_match()->set_transport_protocol("tls");
  mesh_tls.mutable_filter_chain_match()->add_application_protocols("kuma");
  add_mesh_application(from, listener, mesh_tls);
}

InboundSpec spec_of(const ProxyContext& context, const mesh::v1alpha1::Dataplane::Networking::Inbound& inbound) {
  InboundSpec spec;
  spec.address = inbound.address().empty() ? context.dataplane.address : inbound.address();
  spec.port = inbound.port();
  spec.workload_address = inbound.serviceaddress().empty() ? spec.address : inbound.serviceaddress();
  spec.workload_port = inbound.serviceport() == 0 ? inbound.port() : inbound.serviceport();
  spec.transparent = context.transparent();
  spec.tags = mesh::to_tags(inbound.tags());
  spec.protocol = mesh::parse_protocol(mesh::tag(spec.tags, mesh::kProtocolTag));
  spec.mesh = context.view.name;
  if (context.view.mtls_enabled()) {
    spec.mtls = context.view.permissive() ? MtlsMode::Permissive : MtlsMode::Strict;
    const auto* permission = policy::select_for_inbound(context.view.policies_of("TrafficPermission"), spec.tags);
    spec.permission = permission == nullptr ? nullptr : *permission;
  }
  return spec;
}

// What the policies with selectors do to requests by source.
void add_limits(const mesh::MeshView& view, const InboundSpec& spec, policy::ListenerDraft& listener) {
  static constexpr std::pair<std::string_view, absl::Status (*)(const model::Resource&, Listener&)> kEffects[] = {
      {"FaultInjection", policy::inject_faults}, {"RateLimit", policy::limit_rate_by_source}};
  for (const auto& [type, effect] : kEffects) {
    for (const model::ResourcePtr& one : policy::all_for_inbound(view.policies_of(type), spec.tags)) {
      listener.change(policy::PieceKey(type).add(one), {one},
                      [one, effect = effect](Listener& message) { return effect(*one, message); });
    }
  }
}

void put(ProxyContext& context, const std::shared_ptr<const InboundSpec>& spec) {
  auto subject = std::make_shared<policy::Subject>(policy::Subject{.service = spec->service(),
                                                                   .tags = spec->tags,
                                                                   .protocol = spec->protocol,
                                                                   .address = spec->address,
                                                                   .port = spec->port});
  policy::PieceKey cluster_key("inbound-cluster");
  cluster_key.add(spec->workload_address).add(spec->workload_port).add(spec->transparent).add(spec->protocol);
  auto cluster = own_draft<policy::ClusterDraft>(spec->cluster(), policy::Origin::Inbound, std::move(cluster_key),
                                                 [spec](Cluster& message) { make_cluster(*spec, message); });
  cluster.subject = subject;
  policy::ProxyResources::put(context.resources.clusters, std::move(cluster));

  policy::PieceKey key("inbound-listener");
  key.add(spec->address).add(spec->port).add(spec->workload_port).add(spec->transparent).add(spec->tags);
  key.add(spec->mtls).add(spec->mesh).add(spec->permission);
  auto listener = own_draft<policy::ListenerDraft>(
      make::inbound_listener_name(spec->address, spec->port), policy::Origin::Inbound, std::move(key),
      [spec](Listener& message) { make_listener(*spec, message); });
  listener.subject = std::move(subject);
  listener.shaped(&spec->permission);
  if (mesh::is_http(spec->protocol)) {
    add_limits(context.view, *spec, listener);
  }
  policy::ProxyResources::put(context.resources.listeners, std::move(listener));
}

}  // namespace

void set_inbound_listener(Listener& listener, std::string_view name, std::string_view address, uint32_t port) {
  listener.set_name(std::string(name));
  make::set_address(*listener.mutable_address(), address, port);
  listener.set_traffic_direction(TrafficDirection::INBOUND);
  listener.mutable_enable_reuse_port()->set_value(false);
}

absl::Status generate_inbounds(ProxyContext& context) {
  for (const auto& inbound : context.spec.networking().inbound()) {
    if (inbound.port() == 0) {
      continue;  // a workload without a service has nothing to listen for
    }
    auto spec = std::make_shared<const InboundSpec>(spec_of(context, inbound));
    if (spec->mtls != MtlsMode::Off) {
      context.resources.need_mesh_secrets(context.view.name, context.view.name);
    }
    put(context, spec);
  }
  return absl::OkStatus();
}

}  // namespace kuma::xds
