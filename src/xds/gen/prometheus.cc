#include <optional>
#include <string>

#include "base/text.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "google/protobuf/util/json_util.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "mesh/v1alpha1/metrics.pb.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"
#include "policy/envoy/tls.h"
#include "xds/gen/metrics_settings.h"
#include "xds/gen/proxy_context.h"

namespace kuma::xds {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::listener::v3::FilterChain;
using ::envoy::config::listener::v3::Listener;
using ::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
using mesh::v1alpha1::Mesh;
using mesh::v1alpha1::PrometheusMetricsBackendConfig;
using mesh::v1alpha1::PrometheusTlsConfig;
namespace make = policy::envoy;

constexpr std::string_view kListener = "kuma:metrics:prometheus";
constexpr std::string_view kHijacker = "kuma:metrics:hijacker";
constexpr std::string_view kBackendType = "prometheus";
constexpr uint32_t kPortDefault = 5670;
constexpr char kPathDefault[] = "/metrics";
constexpr char kServiceDefault[] = "dataplane-metrics";

void merge_conf(const google::protobuf::Struct& conf, PrometheusMetricsBackendConfig& settings) {
  std::string text;
  PrometheusMetricsBackendConfig own;
  google::protobuf::util::JsonParseOptions lenient;
  lenient.ignore_unknown_fields = true;
  // A conf that does not fit was refused when it was stored; what came in all the same changes nothing.
  if (google::protobuf::util::MessageToJsonString(conf, &text).ok() &&
      google::protobuf::util::JsonStringToMessage(text, &own, lenient).ok()) {
    settings.MergeFrom(own);
  }
}

// The mesh's settings; nothing: no metrics are offered.
std::optional<PrometheusMetricsBackendConfig> mesh_settings(const Mesh& mesh) {
  const auto& metrics = mesh.metrics();
  for (const auto& backend : metrics.backends()) {
    if (metrics.enabledbackend().empty() || backend.name() != metrics.enabledbackend() || backend.type() != kBackendType) {
      continue;
    }
    PrometheusMetricsBackendConfig settings;
    settings.set_port(kPortDefault);
    settings.set_path(kPathDefault);
    merge_conf(backend.conf(), settings);
    return settings;
  }
  return std::nullopt;
}

void merge_own(const mesh::v1alpha1::Dataplane& spec, PrometheusMetricsBackendConfig& settings) {
  if (spec.has_metrics() && spec.metrics().type() == kBackendType) {
    merge_conf(spec.metrics().conf(), settings);
  }
}

// Whether another listener of the proxy, or its application, has the address already.
bool is_taken(const ProxyContext& context, uint32_t port) {
  const std::string& own = context.dataplane.address;
  for (const auto& inbound : context.spec.networking().inbound()) {
    const std::string& listens = inbound.address().empty() ? own : inbound.address();
    const std::string& works = inbound.serviceaddress().empty() ? listens : inbound.serviceaddress();
    uint32_t service_port = inbound.serviceport() == 0 ? inbound.port() : inbound.serviceport();
    if ((listens == own && inbound.port() == port) || (works == own && service_port == port)) {
      return true;
    }
  }
  for (const auto& outbound : context.spec.networking().outbound()) {
    if (outbound.address() == own && outbound.port() == port) {
      return true;
    }
  }
  return false;
}

std::string query_of(const PrometheusMetricsBackendConfig& settings) {
  std::string query;
  const auto& envoy = settings.envoy();
  if (!envoy.filterregex().empty()) {
    query = fmt::format("?filter={}&", envoy.filterregex());
  }
  if (envoy.usedonly().value()) {
    query += query.empty() ? "?usedonly" : "usedonly";
  }
  return query;
}

enum class Security { None, Mesh, Files };

Security security_of(const ProxyContext& context, const PrometheusMetricsBackendConfig& settings) {
  bool mesh_tls = context.view.mtls_enabled();
  if (!settings.has_tls()) {
    return mesh_tls && !settings.skipmtls().value() ? Security::Mesh : Security::None;
  }
  if (settings.tls().mode() == PrometheusTlsConfig::activeMTLSBackend) {
    return mesh_tls ? Security::Mesh : Security::None;
  }
  const ProxyMetadata& metadata = context.proxy.metadata;
  bool has_files = !metadata.metrics_cert_path.empty() && !metadata.metrics_key_path.empty();
  return settings.tls().mode() == PrometheusTlsConfig::providedTLS && has_files ? Security::Files : Security::None;
}

struct MetricsListener {
  std::string address;
  uint32_t port = 0;
  std::string path;
  std::string query;
  Security security = Security::None;
  std::string mesh;
  std::string cert_path;
  std::string key_path;
};

void add_http(const MetricsListener& from, FilterChain& chain) {
  make::Hcm hcm;
  hcm.set_stat_prefix(make::sanitize_stat(kListener));
  auto& config = *hcm.mutable_route_config();
  config.mutable_validate_clusters()->set_value(false);
  auto& host = *config.add_virtual_hosts();
  host.set_name(std::string(kListener));
  host.add_domains("*");
  auto& route = *host.add_routes();
  route.mutable_match()->set_prefix(from.path);
  route.mutable_route()->set_cluster(std::string(kHijacker));
  route.mutable_route()->set_prefix_rewrite("/" + from.query);
  make::add_router(hcm);
  make::add_filter(chain, make::kHttpConnectionManager, hcm);
}

void set_file_tls(const MetricsListener& from, FilterChain& chain) {
  DownstreamTlsContext context;
  auto& certificate = *context.mutable_common_tls_context()->add_tls_certificates();
  certificate.mutable_certificate_chain()->set_filename(from.cert_path);
  certificate.mutable_private_key()->set_filename(from.key_path);
  chain.mutable_transport_socket()->set_name(std::string(make::kTlsSocket));
  make::pack(context, chain.mutable_transport_socket()->mutable_typed_config());
}

void make_listener(const MetricsListener& from, Listener& listener) {
  set_inbound_listener(listener, kListener, from.address, from.port);
  FilterChain& first = *listener.add_filter_chains();
  add_http(from, first);
  switch (from.security) {
    case Security::None:
      return;
    case Security::Mesh: {  // the proxy's own address, by which kuma-dp collects, needs no identity
      auto& range = *first.mutable_filter_chain_match()->add_source_prefix_ranges();
      range.set_address_prefix(from.address);
      range.mutable_prefix_len()->set_value(is_ipv6_address(from.address) ? 128 : 32);
      FilterChain& secure = *listener.add_filter_chains();
      add_http(from, secure);
      *secure.mutable_transport_socket() = make::mesh_server_tls(from.mesh);
      return;
    }
    case Security::Files: {
      first.mutable_filter_chain_match()->set_transport_protocol("tls");
      FilterChain& secure = *listener.add_filter_chains();
      add_http(from, secure);
      set_file_tls(from, secure);
      return;
    }
  }
}

void put_hijacker(ProxyContext& context) {
  const std::string& path = context.proxy.metadata.metrics_socket_path;
  policy::PieceKey key("pipe-cluster");
  key.add(kHijacker).add(path);
  policy::ProxyResources::put(
      context.resources.clusters,
      own_draft<policy::ClusterDraft>(kHijacker, policy::Origin::Prometheus, std::move(key), [path](Cluster& cluster) {
        make::set_cluster_name(cluster, kHijacker);
        cluster.set_type(Cluster::STATIC);
        *cluster.mutable_connect_timeout() = make::to_duration(make::kConnectTimeoutDefault);
        auto& assignment = *cluster.mutable_load_assignment();
        assignment.set_cluster_name(cluster.name());
        auto& endpoint = *assignment.add_endpoints()->add_lb_endpoints()->mutable_endpoint();
        endpoint.mutable_address()->mutable_pipe()->set_path(path);
      }));
}

MetricsPlace place_of(const PrometheusMetricsBackendConfig& settings) {
  auto service = settings.tags().find(std::string(mesh::kServiceTag));
  return {settings.port(), service == settings.tags().end() ? kServiceDefault : service->second};
}

}  // namespace

MetricsPlaces::MetricsPlaces(const mesh::MeshView& view) : view_(view) {
  if (auto settings = mesh_settings(view.mesh->as<Mesh>())) {
    usual_ = place_of(*settings);
  }
}

std::optional<MetricsPlace> MetricsPlaces::of(const mesh::v1alpha1::Dataplane& spec) const {
  if (!usual_ || !spec.has_metrics()) {
    return usual_;
  }
  auto settings = mesh_settings(view_.mesh->as<Mesh>());
  merge_own(spec, *settings);
  return place_of(*settings);
}

std::optional<PrometheusMetricsBackendConfig> metrics_settings(const Mesh& mesh, const mesh::v1alpha1::Dataplane& dataplane) {
  auto settings = mesh_settings(mesh);
  if (settings) {
    merge_own(dataplane, *settings);
  }
  return settings;
}

absl::Status generate_prometheus(ProxyContext& context) {
  auto settings = metrics_settings(context.view.mesh->as<Mesh>(), context.spec);
  if (!settings || context.proxy.metadata.admin_port == 0 || is_taken(context, settings->port())) {
    return absl::OkStatus();
  }
  put_hijacker(context);
  MetricsListener from{.address = context.dataplane.address,
                       .port = settings->port(),
                       .path = settings->path(),
                       .query = query_of(*settings),
                       .security = security_of(context, *settings),
                       .mesh = context.view.name,
                       .cert_path = context.proxy.metadata.metrics_cert_path,
                       .key_path = context.proxy.metadata.metrics_key_path};
  if (from.security == Security::Mesh) {
    context.resources.need_mesh_secrets(context.view.name, context.view.name);
  }
  policy::PieceKey key("metrics-listener");
  key.add(from.address).add(from.port).add(from.path).add(from.query).add(from.security).add(from.mesh);
  key.add(from.cert_path).add(from.key_path);
  policy::ProxyResources::put(
      context.resources.listeners,
      own_draft<policy::ListenerDraft>(kListener, policy::Origin::Prometheus, std::move(key),
                                       [from = std::move(from)](Listener& listener) { make_listener(from, listener); }));
  return absl::OkStatus();
}

}  // namespace kuma::xds
