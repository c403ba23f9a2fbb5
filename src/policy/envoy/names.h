#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mesh/tags.h"

namespace kuma::policy::envoy {

// Names in Envoy's configuration as operators know them from dumps and metrics (spec/xds-config.md §2).

std::string inbound_listener_name(std::string_view address, uint32_t port);   // inbound:10.0.0.1:80
std::string outbound_listener_name(std::string_view address, uint32_t port);  // outbound:127.0.0.1:10001
std::string local_cluster_name(uint32_t port);                                // localhost:8080

// Of a destination: the service, with a hash of all tags when there are more, and of its mesh when it is another's.
std::string destination_cluster_name(const mesh::Tags& tags);

// Stat names: everything but letters, digits, `_` and `-` becomes `_`.
std::string sanitize_stat(std::string_view name);

// What a client announces to be routed by: backend{mesh=default,version=v1}.
std::string sni_of(const mesh::Tags& tags, std::string_view mesh);

// All tags of a proxy as the header x-kuma-tags carries them: &kuma.io/service=web,web-api&&version=v1&
std::string tags_header(const std::vector<mesh::Tags>& tag_sets);

std::string identity_secret_name(std::string_view mesh);
std::string ca_secret_name(std::string_view mesh);

inline constexpr std::string_view kTagsHeader = "x-kuma-tags";

inline constexpr std::string_view kHttpConnectionManager = "envoy.filters.network.http_connection_manager";
inline constexpr std::string_view kTcpProxy = "envoy.filters.network.tcp_proxy";
inline constexpr std::string_view kNetworkRbac = "envoy.filters.network.rbac";
inline constexpr std::string_view kKafkaBroker = "envoy.filters.network.kafka_broker";
inline constexpr std::string_view kRouter = "envoy.filters.http.router";
inline constexpr std::string_view kGrpcStats = "envoy.filters.http.grpc_stats";
inline constexpr std::string_view kTlsInspector = "envoy.filters.listener.tls_inspector";
inline constexpr std::string_view kTlsSocket = "envoy.transport_sockets.tls";
inline constexpr std::string_view kHttpProtocolOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

}  // namespace kuma::policy::envoy
