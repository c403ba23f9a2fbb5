#include "policy/envoy/filters.h"

#include "contrib/kafka_broker/v3/kafka_broker.pb.h"
#include "envoy/extensions/filters/http/grpc_stats/v3/config.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.pb.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"

namespace kuma::policy::envoy {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::listener::v3::FilterChain;
using ::envoy::config::listener::v3::Listener;

google::protobuf::Duration to_duration(std::chrono::nanoseconds duration) {
  google::protobuf::Duration converted;
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  converted.set_seconds(seconds.count());
  converted.set_nanos(static_cast<int32_t>((duration - seconds).count()));
  return converted;
}

std::chrono::nanoseconds to_nanoseconds(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

void set_address(::envoy::config::core::v3::Address& address, std::string_view host, uint32_t port) {
  auto* socket = address.mutable_socket_address();
  socket->set_address(std::string(host));
  socket->set_port_value(port);
}

void add_filter(FilterChain& chain, std::string_view name, const google::protobuf::Message& config) {
  auto* filter = chain.add_filters();
  filter->set_name(std::string(name));
  pack(config, filter->mutable_typed_config());
}

void add_filter_first(FilterChain& chain, std::string_view name, const google::protobuf::Message& config) {
  add_filter(chain, name, config);
  for (int i = chain.filters_size() - 1; i > 0; --i) {
    chain.mutable_filters()->SwapElements(i, i - 1);
  }
}

void remove_first_filter(FilterChain& chain, std::string_view name) {
  for (int i = 0; i < chain.filters_size(); ++i) {
    if (chain.filters(i).name() == name) {
      chain.mutable_filters()->DeleteSubrange(i, 1);
      return;
    }
  }
}

void add_http_filter(Hcm& hcm, std::string_view name, const google::protobuf::Message& config) {
  auto* filter = hcm.add_http_filters();
  filter->set_name(std::string(name));
  pack(config, filter->mutable_typed_config());
}

void add_grpc_stats(Hcm& hcm) {
  ::envoy::extensions::filters::http::grpc_stats::v3::FilterConfig config;
  config.set_emit_filter_state(true);
  add_http_filter(hcm, kGrpcStats, config);
}

void add_router(Hcm& hcm) { add_http_filter(hcm, kRouter, ::envoy::extensions::filters::http::router::v3::Router()); }

void add_tls_inspector(Listener& listener) {
  auto* filter = listener.add_listener_filters();
  filter->set_name(std::string(kTlsInspector));
  pack(::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector(), filter->mutable_typed_config());
}

void add_kafka_broker(FilterChain& chain, std::string_view stat_prefix) {
  ::envoy::extensions::filters::network::kafka_broker::v3::KafkaBroker config;
  config.set_stat_prefix(std::string(stat_prefix));
  add_filter(chain, kKafkaBroker, config);
}

void set_tags_metadata(Listener& listener, const mesh::Tags& tags) {
  auto& fields = *(*listener.mutable_metadata()->mutable_filter_metadata())["io.kuma.tags"].mutable_fields();
  for (const auto& [key, value] : tags) {
    fields[key].set_string_value(value);
  }
}

void set_cluster_name(Cluster& cluster, std::string_view name) {
  cluster.set_name(std::string(name));
  if (std::string sane = sanitize_stat(name); sane != name) {
    cluster.set_alt_stat_name(std::move(sane));
  }
}

void set_static_endpoint(Cluster& cluster, std::string_view host, uint32_t port) {
  cluster.set_type(Cluster::STATIC);
  *cluster.mutable_connect_timeout() = to_duration(kConnectTimeoutDefault);
  cluster.mutable_load_assignment()->set_cluster_name(cluster.name());
  set_address(
      *cluster.mutable_load_assignment()->add_endpoints()->add_lb_endpoints()->mutable_endpoint()->mutable_address(), host,
      port);
}

}  // namespace kuma::policy::envoy
