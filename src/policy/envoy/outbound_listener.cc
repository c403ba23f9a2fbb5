#include <algorithm>
#include <map>

#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "fmt/format.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/outbound.h"
#include "policy/envoy/rate_limit.h"
#include "policy/legacy_effects.h"

namespace kuma::policy::envoy {
namespace {

using ::envoy::config::core::v3::TrafficDirection;
using ::envoy::config::listener::v3::FilterChain;
using ::envoy::config::listener::v3::Listener;
using ::envoy::config::route::v3::Route;
using ::envoy::config::route::v3::RouteConfiguration;
using ::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
using mesh::Protocol;
using mesh::v1alpha1::TrafficRoute;

std::string service_of(const OutboundListener& from) { return std::string(mesh::tag(from.tags, mesh::kServiceTag)); }

void make_route(const OutboundListener& from, const OutboundRoute& part, const OutboundTimeouts& timeouts, Route& route) {
  const TrafficRoute::Http* entry =
      part.http_entry ? &from.traffic_route->as<TrafficRoute>().conf().http(*part.http_entry) : nullptr;
  auto& action = *route.mutable_route();
  if (part.clusters.size() == 1) {
    action.set_cluster(part.clusters.front().name);
  } else {
    for (const WeightedCluster& cluster : part.clusters) {
      auto& weighted = *action.mutable_weighted_clusters()->add_clusters();
      weighted.set_name(cluster.name);
      weighted.mutable_weight()->set_value(cluster.weight);
    }
  }
  *action.mutable_timeout() = to_duration(timeouts.request);
  if (part.rewrite_host) {
    action.mutable_auto_host_rewrite()->set_value(true);
    if (from.rate_limit != nullptr) {
      limit_rate(*from.rate_limit, route);
    }
  }
  if (entry == nullptr) {
    route.mutable_match()->set_prefix("/");
    return;
  }
  apply_match(entry->match(), *route.mutable_match());
  apply_modify(entry->modify(), route);
}

void make_route_config(const OutboundListener& from, const OutboundTimeouts& timeouts, RouteConfiguration& config) {
  std::string service = service_of(from);
  config.set_name("outbound:" + service);
  config.mutable_validate_clusters()->set_value(false);
  add_tags_header(config, from.tags_header);
  auto& host = *config.add_virtual_hosts();
  host.set_name(service);
  host.add_domains("*");
  if (auto retry = retry_policy(from.retry.get(), from.protocol)) {
    *host.mutable_retry_policy() = *std::move(retry);
  }
  for (const OutboundRoute& route : from.routes) {
    make_route(from, route, timeouts, *host.add_routes());
  }
}

void add_http(const OutboundListener& from, const OutboundTimeouts& timeouts, FilterChain& chain) {
  Hcm hcm;
  hcm.set_stat_prefix(sanitize_stat(service_of(from)));
  make_route_config(from, timeouts, *hcm.mutable_route_config());
  *hcm.mutable_stream_idle_timeout() = to_duration(timeouts.stream_idle);
  *hcm.mutable_common_http_protocol_options()->mutable_idle_timeout() = to_duration(timeouts.http_idle);
  if (from.rate_limit != nullptr) {
    add_rate_limit(hcm);
  }
  if (from.protocol == Protocol::Grpc) {
    add_grpc_stats(hcm);
  }
  add_router(hcm);
  add_filter(chain, kHttpConnectionManager, hcm);
}

// Bytes know no requests: the clusters of all routes share the connections.
void add_tcp(const OutboundListener& from, const OutboundTimeouts& timeouts, FilterChain& chain) {
  std::string stat_prefix = sanitize_stat(service_of(from));
  if (from.protocol == Protocol::Kafka) {
    add_kafka_broker(chain, stat_prefix);
  }
  TcpProxy proxy;
  proxy.set_stat_prefix(stat_prefix);
  *proxy.mutable_idle_timeout() = to_duration(timeouts.tcp_idle);
  std::vector<WeightedCluster> clusters;
  for (const OutboundRoute& route : from.routes) {
    clusters.insert(clusters.end(), route.clusters.begin(), route.clusters.end());
  }
  if (clusters.size() == 1) {
    proxy.set_cluster(clusters.front().name);
  } else {
    for (const WeightedCluster& cluster : clusters) {
      auto& weighted = *proxy.mutable_weighted_clusters()->add_clusters();
      weighted.set_name(cluster.name);
      weighted.set_weight(cluster.weight);
    }
  }
  if (auto attempts = connect_attempts_max(from.retry.get())) {
    proxy.mutable_max_connect_attempts()->set_value(*attempts);
  }
  add_filter(chain, kTcpProxy, proxy);
}

void make_listener(const OutboundListener& from, Listener& listener) {
  set_outbound_listener(listener, {.address = from.address, .port = from.port, .tags = from.tags}, from.transparent);
  FilterChain& chain = *listener.add_filter_chains();
  bool leads_somewhere = std::ranges::any_of(from.routes, [](const OutboundRoute& r) { return !r.clusters.empty(); });
  if (!leads_somewhere) {
    return;  // the listener stays: without it, connections would go on to whoever has the address
  }
  OutboundTimeouts timeouts = outbound_timeouts(from.timeout.get(), from.protocol);
  if (mesh::is_http(from.protocol)) {
    add_http(from, timeouts, chain);
  } else {
    add_tcp(from, timeouts, chain);
  }
}

}  // namespace

void set_outbound_listener(Listener& listener, const ProxyOutbound& outbound, bool transparent) {
  listener.set_name(outbound_listener_name(outbound.address, outbound.port));
  set_address(*listener.mutable_address(), outbound.address, outbound.port);
  listener.set_traffic_direction(TrafficDirection::OUTBOUND);
  if (transparent) {
    listener.mutable_bind_to_port()->set_value(false);
  }
  mesh::Tags tags = outbound.tags;
  tags.erase(std::string(mesh::kMeshTag));
  set_tags_metadata(listener, tags);
}

void add_tags_header(RouteConfiguration& config, const std::string& tags_header) {
  auto& header = *config.add_request_headers_to_add()->mutable_header();
  header.set_key(std::string(kTagsHeader));
  header.set_value(tags_header);
}

ListenerDraft draft_outbound_listener(OutboundListener from) {
  ListenerDraft draft;
  draft.name = outbound_listener_name(from.address, from.port);
  draft.origin = Origin::Outbound;
  auto subject = std::make_shared<Subject>();
  subject->service = service_of(from);
  subject->tags = from.tags;
  subject->protocol = from.protocol;
  subject->address = from.address;
  subject->port = from.port;
  draft.subject = std::move(subject);
  draft.key = PieceKey("outbound-listener");
  draft.key.add(from.address).add(from.port).add(from.transparent).add(from.tags).add(from.protocol);
  if (mesh::is_http(from.protocol)) {
    draft.key.add(from.tags_header);  // bytes carry no headers, so TCP listeners are the same for more proxies
  }
  draft.key.add(from.routes.size());
  for (const OutboundRoute& route : from.routes) {
    draft.key.add(route.http_entry.value_or(-1)).add(route.rewrite_host).add(route.clusters.size());
    for (const WeightedCluster& cluster : route.clusters) {
      draft.key.add(cluster.name).add(cluster.weight);
    }
  }
  draft.key.add(from.timeout).add(from.retry).add(from.rate_limit).add(from.traffic_route);
  for (const auto* policy : {&from.traffic_route, &from.timeout, &from.retry, &from.rate_limit}) {
    draft.shaped(policy);
  }
  draft.make = [from = std::move(from)](Listener& message) { make_listener(from, message); };
  return draft;
}

}  // namespace kuma::policy::envoy
