#pragma once

#include <memory>

#include "manager/resource_manager.h"
#include "net/server.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"
#include "store/store.h"
#include "xds/gen/health_checks.h"
#include "xds/server/registrar.h"

namespace kuma::xds {

// Health of applications that no platform watches: Envoys are told what to check, and what they answer becomes the state of
// their dataplane's inbounds (spec/xds-server.md §9). A dataplane's change reaches the stream of its Envoy through the change
// feed; nothing polls.
//
// Thread: streams live on their connections' loops, writes happen on `workers`. stop() ends the subscription; call it after
// the server's.
class HealthService {
 public:
  struct Parts {
    const model::Registry& registry;
    store::Store& store;
    manager::ResourceManager& manager;
    ProxyAuthenticator& authenticator;
    net::WorkerPool& workers;
    observe::Metrics& metrics;
  };
  HealthService(HealthCheckSettings settings, Parts parts);
  ~HealthService();

  // envoy.service.health.v3.HealthDiscoveryService on a server that has not been started.
  void serve(net::Server& server);
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kuma::xds
