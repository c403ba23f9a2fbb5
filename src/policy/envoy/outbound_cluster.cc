#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/outbound.h"
#include "policy/envoy/pack.h"
#include "policy/legacy_effects.h"

namespace kuma::policy::envoy {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::core::v3::ApiVersion;
using ::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;

// Proxies talk HTTP/2 to each other whatever the application speaks; to others what they speak.
void set_protocol_options(const DestinationCluster& from, const OutboundTimeouts& timeouts, Cluster& cluster) {
  HttpProtocolOptions options;
  if (from.leaves_mesh && !mesh::is_http(from.protocol)) {
    return;
  }
  if (from.leaves_mesh && from.protocol == mesh::Protocol::Http) {
    options.mutable_explicit_http_config()->mutable_http_protocol_options();
  } else {
    options.mutable_explicit_http_config()->mutable_http2_protocol_options();
  }
  if (mesh::is_http(from.protocol) && !from.bare) {
    auto& common = *options.mutable_common_http_protocol_options();
    *common.mutable_idle_timeout() = to_duration(timeouts.http_idle);
    if (timeouts.stream_duration_max) {
      *common.mutable_max_stream_duration() = to_duration(*timeouts.stream_duration_max);
    }
  }
  pack(options, &(*cluster.mutable_typed_extension_protocol_options())[std::string(kHttpProtocolOptions)]);
}

void set_eds(Cluster& cluster) {
  cluster.set_type(Cluster::EDS);
  auto& eds = *cluster.mutable_eds_cluster_config()->mutable_eds_config();
  eds.mutable_ads();
  eds.set_resource_api_version(ApiVersion::V3);
}

void make_cluster(const DestinationCluster& from, Cluster& cluster) {
  set_cluster_name(cluster, from.name);
  if (from.external) {
    set_external(*from.external, cluster);
  } else {
    set_eds(cluster);
  }
  OutboundTimeouts timeouts = outbound_timeouts(from.timeout.get(), from.protocol);
  if (!from.bare) {
    *cluster.mutable_connect_timeout() = to_duration(timeouts.connect);
  }
  set_protocol_options(from, timeouts, cluster);
  apply_circuit_breaker(from.circuit_breaker.get(), cluster);
  apply_health_check(from.health_check.get(), from.protocol, cluster);
  if (from.traffic_route != nullptr) {
    apply_load_balancer(from.traffic_route->as<mesh::v1alpha1::TrafficRoute>().conf().load_balancer(), cluster);
  }
  if (from.tls) {
    *cluster.mutable_transport_socket() = mesh_client_tls(*from.tls);
  }
}

}  // namespace

ClusterDraft draft_destination_cluster(DestinationCluster cluster) {
  ClusterDraft draft;
  draft.name = cluster.name;
  draft.origin = Origin::Outbound;
  auto subject = std::make_shared<Subject>();
  subject->service = std::string(mesh::tag(cluster.tags, mesh::kServiceTag));
  subject->tags = cluster.tags;
  subject->protocol = cluster.protocol;
  draft.subject = std::move(subject);
  // The tags are in the name and the SNI.
  draft.key = PieceKey("destination-cluster");
  draft.key.add(cluster.name).add(cluster.protocol).add(cluster.bare).add(cluster.tls.has_value());
  if (cluster.tls) {
    draft.key.add(cluster.tls->mesh).add(cluster.tls->peer_mesh).add(cluster.tls->peer_identity).add(cluster.tls->sni);
  }
  draft.key.add(cluster.leaves_mesh).add(cluster.external.has_value());
  if (cluster.external) {
    add_to_key(*cluster.external, draft.key);
  }
  draft.key.add(cluster.timeout).add(cluster.circuit_breaker).add(cluster.health_check).add(cluster.traffic_route);
  draft.shaped(&cluster.traffic_route);
  draft.shaped(&cluster.timeout);
  draft.shaped(&cluster.circuit_breaker);
  draft.shaped(&cluster.health_check);
  draft.make = [cluster = std::move(cluster)](Cluster& message) { make_cluster(cluster, message); };
  return draft;
}

}  // namespace kuma::policy::envoy
