#include <string>

#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "xds/gen/proxy_context.h"

namespace kuma::xds {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::core::v3::TrafficDirection;
using ::envoy::config::listener::v3::Listener;
using ::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
namespace make = policy::envoy;

// One direction of one address family: connections that no other listener is for go on to where they were meant to go.
struct Passthrough {
  std::string name;
  bool outbound = false;
  std::string address;  // of the listener
  uint32_t port = 0;
  std::string source;   // that the application sees; empty: the proxy's own
  bool open = true;     // false: the listener is there, without a cluster to go to
};

void make_cluster(const Passthrough& from, Cluster& cluster) {
  make::set_cluster_name(cluster, from.name);
  cluster.set_type(Cluster::ORIGINAL_DST);
  cluster.set_lb_policy(Cluster::CLUSTER_PROVIDED);
  *cluster.mutable_connect_timeout() = make::to_duration(make::kConnectTimeoutDefault);
  if (!from.source.empty()) {
    auto& source = *cluster.mutable_upstream_bind_config()->mutable_source_address();
    source.set_address(from.source);
    source.set_port_value(0);
  }
}

void make_listener(const Passthrough& from, Listener& listener) {
  if (from.outbound) {
    listener.set_name(from.name);
    make::set_address(*listener.mutable_address(), from.address, from.port);
    listener.set_traffic_direction(TrafficDirection::OUTBOUND);
  } else {
    set_inbound_listener(listener, from.name, from.address, from.port);
  }
  listener.mutable_use_original_dst()->set_value(true);
  TcpProxy proxy;
  proxy.set_stat_prefix(make::sanitize_stat(from.name));
  proxy.set_cluster(from.name);
  make::add_filter(*listener.add_filter_chains(), make::kTcpProxy, proxy);
}

void put(ProxyContext& context, const Passthrough& from) {
  policy::PieceKey key("passthrough");
  key.add(from.name).add(from.outbound).add(from.address).add(from.port).add(from.source);
  if (from.open) {
    policy::ProxyResources::put(
        context.resources.clusters,
        own_draft<policy::ClusterDraft>(from.name, policy::Origin::Transparent, key,
                                        [from](Cluster& cluster) { make_cluster(from, cluster); }));
  }
  policy::ProxyResources::put(
      context.resources.listeners,
      own_draft<policy::ListenerDraft>(from.name, policy::Origin::Transparent, key,
                                       [from](Listener& listener) { make_listener(from, listener); }));
}

}  // namespace

absl::Status generate_transparent(ProxyContext& context) {
  const auto& settings = context.spec.networking().transparent_proxying();
  if (settings.redirect_port_outbound() == 0) {
    return absl::OkStatus();
  }
  const auto& outbound = context.view.mesh->as<mesh::v1alpha1::Mesh>().networking().outbound();
  bool open = !outbound.has_passthrough() || outbound.passthrough().value();
  auto put_family = [&](std::string family, std::string any, std::string source, uint32_t inbound_port) {
    put(context, {.name = "outbound:passthrough:" + family,
                  .outbound = true,
                  .address = any,
                  .port = settings.redirect_port_outbound(),
                  .source = "",
                  .open = open});
    put(context, {.name = "inbound:passthrough:" + family,
                  .outbound = false,
                  .address = any,
                  .port = inbound_port,
                  .source = std::move(source),
                  .open = true});
  };
  put_family("ipv4", "0.0.0.0", "127.0.0.6", settings.redirect_port_inbound());
  if (settings.redirect_port_inbound_v6() != 0) {
    put_family("ipv6", "::", "::6", settings.redirect_port_inbound_v6());
  }
  return absl::OkStatus();
}

}  // namespace kuma::xds
