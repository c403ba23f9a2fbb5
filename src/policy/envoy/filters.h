#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "google/protobuf/duration.pb.h"
#include "mesh/protocol.h"
#include "mesh/tags.h"

namespace kuma::policy::envoy {

// Small pieces that listeners and clusters of all kinds are put together from.

google::protobuf::Duration to_duration(std::chrono::nanoseconds duration);
std::chrono::nanoseconds to_nanoseconds(const google::protobuf::Duration& duration);

void set_address(::envoy::config::core::v3::Address& address, std::string_view host, uint32_t port);

// A network filter of a chain with its configuration.
void add_filter(::envoy::config::listener::v3::FilterChain& chain, std::string_view name,
                const google::protobuf::Message& config);
// The same at the front.
void add_filter_first(::envoy::config::listener::v3::FilterChain& chain, std::string_view name,
                      const google::protobuf::Message& config);
void remove_first_filter(::envoy::config::listener::v3::FilterChain& chain, std::string_view name);

using Hcm = ::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
void add_http_filter(Hcm& hcm, std::string_view name, const google::protobuf::Message& config);
void add_grpc_stats(Hcm& hcm);
// Every chain of HTTP filters ends with it.
void add_router(Hcm& hcm);

void add_tls_inspector(::envoy::config::listener::v3::Listener& listener);
void add_kafka_broker(::envoy::config::listener::v3::FilterChain& chain, std::string_view stat_prefix);

// How policies of users find a listener: the tags as a flat struct in its metadata.
void set_tags_metadata(::envoy::config::listener::v3::Listener& listener, const mesh::Tags& tags);

// A cluster's name, and a name for its metrics where they could not bear the first.
void set_cluster_name(::envoy::config::cluster::v3::Cluster& cluster, std::string_view name);
// A cluster with one fixed address.
void set_static_endpoint(::envoy::config::cluster::v3::Cluster& cluster, std::string_view host, uint32_t port);
inline constexpr std::chrono::seconds kConnectTimeoutDefault{10};

}  // namespace kuma::policy::envoy
