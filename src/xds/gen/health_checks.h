#pragma once

#include <chrono>

#include "envoy/service/health/v3/hds.pb.h"
#include "mesh/v1alpha1/dataplane.pb.h"

namespace kuma::xds {

// What the control plane lets an Envoy find out about the application beside it (spec/xds-server.md §9): Envoy is told what to
// check, and what it answers becomes the state of the dataplane's inbounds. Pure.

struct HealthCheckSettings {
  std::chrono::nanoseconds report_interval = std::chrono::seconds(5);
  // Where a probe does not say it.
  std::chrono::nanoseconds timeout = std::chrono::seconds(2);
  std::chrono::nanoseconds interval = std::chrono::seconds(1);
  std::chrono::nanoseconds no_traffic_interval = std::chrono::seconds(1);
  uint32_t healthy_threshold = 1;
  uint32_t unhealthy_threshold = 1;
};

// Envoy's own readiness, and a connection to each application that has a probe.
envoy::service::health::v3::HealthCheckSpecifier make_health_checks(const mesh::v1alpha1::Dataplane& dataplane,
                                                                    uint32_t admin_port, const HealthCheckSettings& settings);

// Sets what Envoy found; whether that is another state than before. Inbounds that are ignored stay so.
bool apply_health(const envoy::service::health::v3::EndpointHealthResponse& found, mesh::v1alpha1::Dataplane& dataplane);

}  // namespace kuma::xds
