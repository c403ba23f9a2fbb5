#pragma once

#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "policy/envoy/filters.h"

namespace kuma::policy::envoy {

// How policies change what lies packed inside listeners and clusters: unpack, change, pack again. The first error stops an
// edit and is returned; a message that can't be unpacked is one.

using TcpProxy = ::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
using HttpOptions = ::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;

// The HTTP connection manager of each filter chain that has one.
absl::Status edit_hcms(::envoy::config::listener::v3::Listener& listener, absl::FunctionRef<absl::Status(Hcm&)> edit);
// The TCP proxy of each filter chain that has one.
absl::Status edit_tcp_proxies(::envoy::config::listener::v3::Listener& listener, absl::FunctionRef<absl::Status(TcpProxy&)> edit);
// The cluster's HTTP options; empty ones when it has none.
absl::Status edit_http_options(::envoy::config::cluster::v3::Cluster& cluster, absl::FunctionRef<void(HttpOptions&)> edit);

// Each route of each virtual host, in order.
void for_each_route(::envoy::config::route::v3::RouteConfiguration& config,
                    absl::FunctionRef<void(::envoy::config::route::v3::Route&)> edit);

// Puts a filter right before the router, after those that are there.
absl::Status insert_before_router(Hcm& hcm, std::string_view name, const google::protobuf::Message& config);

}  // namespace kuma::policy::envoy
