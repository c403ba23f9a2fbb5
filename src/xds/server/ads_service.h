#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "net/server.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"
#include "xds/server/engine.h"
#include "xds/server/insight_writer.h"
#include "xds/server/registrar.h"
#include "xds/server/session.h"

namespace kuma::xds {

// What streams of proxies need; outlives them.
struct AdsParts {
  const model::Registry& registry;
  const Clock& clock;
  Engine& engine;
  ProxyAuthenticator& authenticator;
  ProxyRegistrar& registrar;
  InsightWriter& insights;
  net::WorkerPool& workers;  // registers proxies, which may wait for a disk
  observe::Metrics& metrics;
};

struct AdsOptions {
  std::string control_plane_id;
  std::chrono::nanoseconds nack_backoff = std::chrono::seconds(5);
};

// Serves envoy.service.discovery.v3.AggregatedDiscoveryService (both protocols) and envoy.service.health.v3
// .HealthDiscoveryService on a server that has not been started. A stream is a state machine (AdsSession) on its
// connection's loop; this file is what is around it: who is it, may it, and where do its snapshots come from.
void serve_ads(net::Server& server, AdsOptions options, AdsParts parts);

}  // namespace kuma::xds
