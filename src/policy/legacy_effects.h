#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "mesh/mesh_view.h"
#include "mesh/v1alpha1/selector.pb.h"
#include "mesh/v1alpha1/traffic_route.pb.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/rbac.h"

namespace kuma::policy {

// What the chosen policies with selectors do to Envoy's configuration (spec/legacy-policies.md §5–§9). Each takes the policy
// that was selected, or null for none.

// The values of a Timeout for a destination that speaks `protocol`.
struct OutboundTimeouts {
  std::chrono::nanoseconds connect{};
  std::chrono::nanoseconds http_idle{};
  std::chrono::nanoseconds stream_idle{};
  std::chrono::nanoseconds request{};
  std::chrono::nanoseconds tcp_idle{};
  std::optional<std::chrono::nanoseconds> stream_duration_max;
};
OutboundTimeouts outbound_timeouts(const model::Resource* timeout, mesh::Protocol protocol);

void apply_circuit_breaker(const model::Resource* circuit_breaker, ::envoy::config::cluster::v3::Cluster& cluster);

// The active check of a service that speaks `protocol`.
void apply_health_check(const model::Resource* health_check, mesh::Protocol protocol, ::envoy::config::cluster::v3::Cluster& cluster);

// Of a virtual host that speaks `protocol`; nothing: no retries.
std::optional<::envoy::config::route::v3::RetryPolicy> retry_policy(const model::Resource* retry, mesh::Protocol protocol);
// How often a TCP connection is tried; nothing: as Envoy has it.
std::optional<uint32_t> connect_attempts_max(const model::Resource* retry);

// The load balancer of a TrafficRoute.
void apply_load_balancer(const mesh::v1alpha1::TrafficRoute::LoadBalancer& balancer,
                         ::envoy::config::cluster::v3::Cluster& cluster);
// Which requests an entry of a TrafficRoute's `http` is for, and what it does to them.
void apply_match(const mesh::v1alpha1::TrafficRoute::Http::Match& match, ::envoy::config::route::v3::RouteMatch& route);
void apply_modify(const mesh::v1alpha1::TrafficRoute::Http::Modify& modify, ::envoy::config::route::v3::Route& route);

// The tags of a policy's sources, one set for each.
std::vector<mesh::Tags> source_tags(const google::protobuf::RepeatedPtrField<mesh::v1alpha1::Selector>& sources);

// Faults for requests of the policy's sources, on each chain of an inbound that speaks HTTP. InvalidArgument names a field
// that can't be understood.
absl::Status inject_faults(const model::Resource& fault_injection, ::envoy::config::listener::v3::Listener& listener);
absl::Status inject_faults(const model::Resource& fault_injection, envoy::Hcm& hcm);
// A limit for requests of the policy's sources: a route of their own on each chain of an inbound that speaks HTTP.
absl::Status limit_rate_by_source(const model::Resource& rate_limit, ::envoy::config::listener::v3::Listener& listener);
absl::Status limit_rate_by_source(const model::Resource& rate_limit, envoy::Hcm& hcm);
// A limit for all requests of a route. Takes effect with the filter of envoy/rate_limit.h.
void limit_rate(const model::Resource& rate_limit, ::envoy::config::route::v3::Route& route);

// Who may connect to a listener: the sources of the permission, or nobody.
envoy::Rbac permission_filter(const model::Resource* permission, std::string_view mesh, std::string_view listener);

}  // namespace kuma::policy
