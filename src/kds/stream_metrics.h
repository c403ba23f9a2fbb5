#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "kds/sync_session.h"
#include "observe/metrics.h"

namespace kuma::kds {

// What is counted of synchronisation streams, under the names that the reference has (spec/kds.md §8, §13): `kds_delta_…` of the
// delta protocol, `kds_…` of the state of the world, for what is sent; `kds_resources_sync` for what is stored.
//
// Thread: any. Cheap to copy; without Metrics it counts nowhere.
class StreamMetrics {
 public:
  explicit StreamMetrics(observe::Metrics* metrics) : metrics_(metrics) {}

  // Counts what goes on in a session from here on, besides telling whoever listens in `setup` already.
  void watch(SyncSession::Setup& setup) const;

 private:
  void on_events(const std::string& prefix, const std::vector<Provider::Event>& events) const;

  observe::Metrics* metrics_;
};

}  // namespace kuma::kds
