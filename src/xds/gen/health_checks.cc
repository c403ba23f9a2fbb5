#include "xds/gen/health_checks.h"

#include <map>

#include "base/text.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"

namespace kuma::xds {
namespace {

using ::envoy::config::core::v3::HealthCheck;
using ::envoy::config::core::v3::HealthStatus;
using ::envoy::service::health::v3::ClusterHealthCheck;
using ::envoy::service::health::v3::EndpointHealthResponse;
using ::envoy::service::health::v3::HealthCheckSpecifier;
using mesh::v1alpha1::Dataplane;
using Inbound = Dataplane::Networking::Inbound;
namespace make = policy::envoy;

constexpr char kAdminCluster[] = "kuma:envoy:admin";
constexpr char kLoopback[] = "127.0.0.1";
constexpr char kSourceV4[] = "127.0.0.6";  // as inbounds' clusters have it: exempt from redirection
constexpr char kSourceV6[] = "::6";

uint32_t application_port(const Inbound& inbound) { return inbound.serviceport() == 0 ? inbound.port() : inbound.serviceport(); }

std::string application_address(const Dataplane& dataplane, const Inbound& inbound) {
  const std::string& listens = inbound.address().empty() ? dataplane.networking().address() : inbound.address();
  return inbound.serviceaddress().empty() ? listens : inbound.serviceaddress();
}

HealthCheck default_check(const HealthCheckSettings& settings) {
  HealthCheck check;
  *check.mutable_timeout() = make::to_duration(settings.timeout);
  *check.mutable_interval() = make::to_duration(settings.interval);
  *check.mutable_no_traffic_interval() = make::to_duration(settings.no_traffic_interval);
  check.mutable_healthy_threshold()->set_value(settings.healthy_threshold);
  check.mutable_unhealthy_threshold()->set_value(settings.unhealthy_threshold);
  return check;
}

ClusterHealthCheck& add_cluster(HealthCheckSpecifier& specifier, std::string name, std::string_view host, uint32_t port) {
  ClusterHealthCheck& cluster = *specifier.add_cluster_health_checks();
  cluster.set_cluster_name(std::move(name));
  make::set_address(*cluster.add_locality_endpoints()->add_endpoints()->mutable_address(), host, port);
  return cluster;
}

void add_probe(const Inbound::ServiceProbe& probe, const HealthCheckSettings& settings, ClusterHealthCheck& cluster) {
  HealthCheck& check = *cluster.add_health_checks();
  check = default_check(settings);
  if (probe.has_timeout()) {
    *check.mutable_timeout() = probe.timeout();
  }
  if (probe.has_interval()) {
    *check.mutable_interval() = probe.interval();
  }
  if (probe.has_healthy_threshold()) {
    *check.mutable_healthy_threshold() = probe.healthy_threshold();
  }
  if (probe.has_unhealthy_threshold()) {
    *check.mutable_unhealthy_threshold() = probe.unhealthy_threshold();
  }
  check.mutable_tcp_health_check();
}

// By cluster; one without an endpoint says nothing.
std::map<std::string, bool> healthy_clusters(const EndpointHealthResponse& found) {
  std::map<std::string, bool> healthy;
  for (const auto& cluster : found.cluster_endpoints_health()) {
    if (cluster.locality_endpoints_health().empty() || cluster.locality_endpoints_health(0).endpoints_health().empty()) {
      continue;
    }
    const auto status = cluster.locality_endpoints_health(0).endpoints_health(0).health_status();
    healthy[cluster.cluster_name()] = status == HealthStatus::HEALTHY || status == HealthStatus::UNKNOWN;
  }
  return healthy;
}

}  // namespace

HealthCheckSpecifier make_health_checks(const Dataplane& dataplane, uint32_t admin_port, const HealthCheckSettings& settings) {
  HealthCheckSpecifier specifier;
  *specifier.mutable_interval() = make::to_duration(settings.report_interval);
  HealthCheck& ready = *add_cluster(specifier, kAdminCluster, kLoopback, admin_port).add_health_checks();
  ready = default_check(settings);
  ready.mutable_http_health_check()->set_path("/ready");

  const auto& redirection = dataplane.networking().transparent_proxying();
  const bool transparent = redirection.redirect_port_inbound() != 0 && redirection.redirect_port_outbound() != 0;
  for (const Inbound& inbound : dataplane.networking().inbound()) {
    if (!inbound.has_serviceprobe()) {
      continue;
    }
    const uint32_t port = application_port(inbound);
    const std::string address = application_address(dataplane, inbound);
    ClusterHealthCheck& cluster = add_cluster(specifier, make::local_cluster_name(port), address, port);
    add_probe(inbound.serviceprobe(), settings, cluster);
    if (transparent) {
      auto& source = *cluster.mutable_upstream_bind_config()->mutable_source_address();
      source.set_address(is_ipv6_address(address) ? kSourceV6 : kSourceV4);
      source.set_port_value(0);
    }
  }
  return specifier;
}

bool apply_health(const EndpointHealthResponse& found, Dataplane& dataplane) {
  const std::map<std::string, bool> clusters = healthy_clusters(found);
  const auto is_healthy = [&](const std::string& name) {
    const auto cluster = clusters.find(name);
    return cluster == clusters.end() || cluster->second;
  };
  bool changed = false;
  for (Inbound& inbound : *dataplane.mutable_networking()->mutable_inbound()) {
    if (!inbound.has_serviceprobe() || inbound.state() == Inbound::Ignored) {
      continue;
    }
    const bool healthy = is_healthy(kAdminCluster) && is_healthy(make::local_cluster_name(application_port(inbound)));
    const Inbound::State state = healthy ? Inbound::Ready : Inbound::NotReady;
    if (inbound.state() != state) {
      inbound.set_state(state);
      inbound.mutable_health()->set_ready(healthy);
      changed = true;
    }
  }
  return changed;
}

}  // namespace kuma::xds
