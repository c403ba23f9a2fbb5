#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "base/text.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/tls.h"
#include "xds/gen/proxy_context.h"

namespace kuma::xds {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::core::v3::TrafficDirection;
using ::envoy::config::listener::v3::Listener;
using ::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
namespace make = policy::envoy;

constexpr std::string_view kCluster = "direct_access";

using Place = std::pair<std::string, uint32_t>;  // IP and port

class Places {
 public:
  explicit Places(const ProxyContext& context) : context_(context) {
    const auto& services = context.spec.networking().transparent_proxying().direct_access_services();
    services_.insert(services.begin(), services.end());
    all_ = services_.contains("*");
    for (const policy::ProxyOutbound& outbound : context.resources.outbounds) {
      taken_.emplace(outbound.address, outbound.port);
    }
  }

  // Of every instance of the listed services, this proxy's own aside; in order.
  std::set<Place> find() {
    const MetricsPlaces metrics(context_.view);
    for (const auto& [key, dataplane] : context_.view.dataplanes) {
      if (key == context_.proxy.key) {
        continue;
      }
      const auto& spec = dataplane->resource->as<mesh::v1alpha1::Dataplane>();
      for (const auto& inbound : spec.networking().inbound()) {
        auto service = inbound.tags().find(std::string(mesh::kServiceTag));
        if (service != inbound.tags().end()) {
          add(service->second, inbound.address().empty() ? dataplane->address : inbound.address(), inbound.port());
        }
      }
      if (auto place = metrics.of(spec)) {
        add(place->service, dataplane->address, place->port);
      }
    }
    return std::move(found_);
  }

 private:
  void add(const std::string& service, const std::string& address, uint32_t port) {
    if ((all_ || services_.contains(service)) && !taken_.contains({address, port})) {
      found_.emplace(address, port);
    }
  }

  const ProxyContext& context_;
  std::set<std::string> services_;
  bool all_ = false;
  std::set<Place> taken_;
  std::set<Place> found_;
};

void put_listener(ProxyContext& context, const Place& place) {
  const std::string name = fmt::format("{}_{}", kCluster, join_host_port(place.first, place.second));
  policy::PieceKey key("direct-access-listener");
  key.add(std::string_view(place.first)).add(place.second);
  auto make_it = [name, place](Listener& listener) {
    listener.set_name(name);
    make::set_address(*listener.mutable_address(), place.first, place.second);
    listener.set_traffic_direction(TrafficDirection::OUTBOUND);
    listener.mutable_bind_to_port()->set_value(false);
    TcpProxy proxy;
    proxy.set_stat_prefix(make::sanitize_stat(name));
    proxy.set_cluster(std::string(kCluster));
    make::add_filter(*listener.add_filter_chains(), make::kTcpProxy, proxy);
  };
  policy::ProxyResources::put(context.resources.listeners, own_draft<policy::ListenerDraft>(
                                                               name, policy::Origin::DirectAccess, std::move(key), std::move(make_it)));
}

void put_cluster(ProxyContext& context) {
  const std::string mesh = context.view.mtls_enabled() ? context.view.name : "";
  if (!mesh.empty()) {
    context.resources.need_mesh_secrets(mesh, mesh);
  }
  policy::PieceKey key("direct-access-cluster");
  key.add(std::string_view(mesh));
  policy::ProxyResources::put(
      context.resources.clusters,
      own_draft<policy::ClusterDraft>(kCluster, policy::Origin::DirectAccess, std::move(key), [mesh](Cluster& cluster) {
        make::set_cluster_name(cluster, kCluster);
        cluster.set_type(Cluster::ORIGINAL_DST);
        cluster.set_lb_policy(Cluster::CLUSTER_PROVIDED);
        *cluster.mutable_connect_timeout() = make::to_duration(make::kConnectTimeoutDefault);
        if (!mesh.empty()) {
          *cluster.mutable_transport_socket() = make::mesh_client_tls_to_any(mesh);
        }
      }));
}

}  // namespace

absl::Status generate_direct_access(ProxyContext& context) {
  if (!context.transparent() || context.spec.networking().transparent_proxying().direct_access_services().empty()) {
    return absl::OkStatus();
  }
  for (const Place& place : Places(context).find()) {
    put_listener(context, place);
  }
  put_cluster(context);
  return absl::OkStatus();
}

}  // namespace kuma::xds
