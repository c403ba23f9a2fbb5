#include <cassert>
#include <map>
#include <memory>

#include "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/type_resolver_util.h"
#include "model/envoy_types.h"
#include "policy/envoy/deprecated.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"
#include "policy/legacy_effects.h"
#include "xds/gen/gateway.h"

namespace kuma::xds::gateway {
namespace {

using ::envoy::config::core::v3::ApiVersion;
using ::envoy::config::core::v3::ConfigSource;
using ::envoy::config::core::v3::HttpProtocolOptions;
using ::envoy::config::listener::v3::FilterChain;
using ::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using ::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
using ::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
using ::envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig;
using ::envoy::extensions::transport_sockets::tls::v3::TlsParameters;
namespace make = policy::envoy;

// What Envoy advises for proxies at the edge, whose clients nobody knows.
constexpr uint32_t kBufferBytes = 32 * 1024;
constexpr uint32_t kStreamsMax = 100;
constexpr uint32_t kStreamWindowBytes = 64 * 1024;
constexpr uint32_t kConnectionWindowBytes = 1024 * 1024;
constexpr std::chrono::milliseconds kHeadersTimeout{500};
constexpr std::chrono::seconds kStreamIdleTimeout{5};
constexpr std::chrono::seconds kIdleTimeout{300};

void set_ads(ConfigSource& source) {
  source.mutable_ads();
  source.set_resource_api_version(ApiVersion::V3);
}

void set_sds(const std::string& name, SdsSecretConfig& config) {
  config.set_name(name);
  set_ads(*config.mutable_sds_config());
}

// Our code is not compiled against this filter's messages: its configuration, which is always the same, is read from JSON.
google::protobuf::Any compressor() {
  static const google::protobuf::Any kConfig = [] {
    constexpr char kType[] = "type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor";
    constexpr char kJson[] =
        R"({"compressor_library": {"name": "gzip", "typed_config": {"@type": "type.googleapis.com/)"
        R"(envoy.extensions.compression.gzip.compressor.v3.Gzip"}}, "response_direction_config": {"disable_on_etag_header": true}})";
    std::unique_ptr<google::protobuf::util::TypeResolver> types(
        google::protobuf::util::NewTypeResolverForDescriptorPool("type.googleapis.com", &model::envoy_types()));
    google::protobuf::Any config;
    config.set_type_url(kType);
    [[maybe_unused]] auto status = google::protobuf::util::JsonToBinaryString(types.get(), kType, kJson, config.mutable_value());
    assert(status.ok());
    return config;
  }();
  return kConfig;
}

void add_http_filters(make::Hcm& hcm) {
  ::envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit limit;
  limit.set_stat_prefix("rate_limit");
  make::add_http_filter(hcm, "envoy.filters.http.local_ratelimit", limit);
  auto& gzip = *hcm.add_http_filters();
  gzip.set_name("gzip-compress");
  *gzip.mutable_typed_config() = compressor();
  ::envoy::extensions::filters::http::router::v3::Router router;
  make::set_start_child_span(router);
  make::add_http_filter(hcm, make::kRouter, router);
}

void add_http(const Port& port, FilterChain& chain) {
  make::Hcm hcm;
  hcm.set_stat_prefix(make::sanitize_stat(port.service));
  hcm.mutable_rds()->set_route_config_name(port.name);
  set_ads(*hcm.mutable_rds()->mutable_config_source());
  hcm.set_server_name("Kuma Gateway");
  hcm.mutable_normalize_path()->set_value(true);
  hcm.set_merge_slashes(true);
  hcm.set_path_with_escaped_slashes_action(HttpConnectionManager::UNESCAPE_AND_REDIRECT);
  hcm.mutable_use_remote_address()->set_value(true);
  *hcm.mutable_request_headers_timeout() = make::to_duration(kHeadersTimeout);
  *hcm.mutable_stream_idle_timeout() = make::to_duration(kStreamIdleTimeout);
  auto& common = *hcm.mutable_common_http_protocol_options();
  *common.mutable_idle_timeout() = make::to_duration(kIdleTimeout);
  common.set_headers_with_underscores_action(HttpProtocolOptions::REJECT_REQUEST);
  auto& http2 = *hcm.mutable_http2_protocol_options();
  http2.mutable_max_concurrent_streams()->set_value(kStreamsMax);
  http2.mutable_initial_stream_window_size()->set_value(kStreamWindowBytes);
  http2.mutable_initial_connection_window_size()->set_value(kConnectionWindowBytes);
  http2.set_allow_connect(true);
  add_http_filters(hcm);
  make::add_filter(chain, make::kHttpConnectionManager, hcm);
}

// The clusters of all hosts together: bytes don't say which host they are for.
void add_tcp(const Port& port, FilterChain& chain) {
  std::map<std::string, uint32_t> weights;
  std::optional<uint32_t> attempts;
  for (const Host& host : port.hosts) {
    for (const auto& route : host.routes) {
      for (const auto& rule : route->as<MeshGatewayRoute>().conf().tcp().rules()) {
        for (const auto& backend : rule.backends()) {
          auto found = host.destinations.find(mesh::to_tags(backend.destination()));
          if (found != host.destinations.end()) {
            weights[found->second.cluster] = backend.weight();
            attempts = attempts ? attempts : policy::connect_attempts_max(found->second.policies.retry.get());
          }
        }
      }
    }
  }
  if (weights.size() == 1) {
    weights.begin()->second = 1;
  }
  std::erase_if(weights, [](const auto& entry) { return entry.second == 0; });  // Envoy knows no weight of 0 here
  if (weights.empty()) {
    return;  // connections are closed
  }
  TcpProxy proxy;
  proxy.set_stat_prefix(make::sanitize_stat(port.service));
  if (weights.size() == 1) {
    proxy.set_cluster(weights.begin()->first);
  } else {
    for (const auto& [cluster, weight] : weights) {
      auto& weighted = *proxy.mutable_weighted_clusters()->add_clusters();
      weighted.set_name(cluster);
      weighted.set_weight(weight);
    }
  }
  if (attempts) {
    proxy.mutable_max_connect_attempts()->set_value(*attempts);
  }
  make::add_filter(chain, make::kTcpProxy, proxy);
}

void add_server_name(const Host& host, FilterChain& chain) {
  if (host.name != "*") {
    chain.mutable_filter_chain_match()->add_server_names(host.name);
  }
}

void set_socket(const DownstreamTlsContext& context, FilterChain& chain) {
  chain.mutable_transport_socket()->set_name(std::string(make::kTlsSocket));
  make::pack(context, chain.mutable_transport_socket()->mutable_typed_config());
}

void terminate(const Host& host, bool http, FilterChain& chain) {
  DownstreamTlsContext context;
  auto& common = *context.mutable_common_tls_context();
  common.mutable_tls_params()->set_tls_minimum_protocol_version(TlsParameters::TLSv1_2);
  if (http) {
    common.add_alpn_protocols("h2");
    common.add_alpn_protocols("http/1.1");
  }
  for (const std::string& name : host.certificates) {
    set_sds(name, *common.add_tls_certificate_sds_secret_configs());
  }
  context.mutable_require_client_certificate()->set_value(false);
  set_socket(context, chain);
}

// Clients of any mesh, by the certificate that they have of it.
void take_meshes(const Port& port, FilterChain& chain) {
  auto& match = *chain.mutable_filter_chain_match();
  match.set_transport_protocol("tls");
  match.add_application_protocols("kuma");
  DownstreamTlsContext context;
  auto& common = *context.mutable_common_tls_context();
  set_sds(make::identity_secret_name(port.mesh), *common.add_tls_certificate_sds_secret_configs());
  auto& validation = *common.mutable_combined_validation_context();
  validation.mutable_default_validation_context();
  set_sds("mesh_ca:secret:all", *validation.mutable_validation_context_sds_secret_config());
  context.mutable_require_client_certificate()->set_value(true);
  set_socket(context, chain);
}

}  // namespace

void make_listener(const Port& port, ::envoy::config::listener::v3::Listener& listener) {
  listener.set_name(port.name);
  make::set_address(*listener.mutable_address(), port.address, port.number());
  listener.set_traffic_direction(::envoy::config::core::v3::INBOUND);
  listener.mutable_per_connection_buffer_limit_bytes()->set_value(kBufferBytes);
  listener.mutable_enable_reuse_port()->set_value(true);
  make::add_tls_inspector(listener);
  if (port.cross_mesh()) {
    FilterChain& chain = *listener.add_filter_chains();
    add_http(port, chain);
    take_meshes(port, chain);
    return;
  }
  switch (port.first->protocol()) {
    case Listener::HTTP:
      add_http(port, *listener.add_filter_chains());
      return;
    case Listener::HTTPS:
      for (const Host& host : port.hosts) {
        FilterChain& chain = *listener.add_filter_chains();
        chain.mutable_filter_chain_match()->set_transport_protocol("tls");
        add_server_name(host, chain);
        add_http(port, chain);
        terminate(host, true, chain);
      }
      return;
    case Listener::TLS: {
      FilterChain& chain = *listener.add_filter_chains();
      chain.mutable_filter_chain_match()->set_transport_protocol("tls");
      for (const Host& host : port.hosts) {
        add_server_name(host, chain);
      }
      add_tcp(port, chain);
      if (port.first->tls().mode() == MeshGateway::TLS::TERMINATE) {
        terminate(port.hosts.front(), false, chain);
      }
      return;
    }
    default:
      add_tcp(port, *listener.add_filter_chains());
  }
}

}  // namespace kuma::xds::gateway
