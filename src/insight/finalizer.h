#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "observe/metrics.h"
#include "store/store.h"

namespace kuma::insight {

struct FinalizerOptions {
  // Insights whose subscriptions are looked after: DataplaneInsight, ZoneIngressInsight, ZoneEgressInsight,
  // ZoneInsight.
  std::vector<std::string> types;
  std::chrono::nanoseconds idle_timeout = std::chrono::minutes(5);
};

// Ends subscriptions whose control plane died without saying so: whoever holds a subscription raises its generation,
// and one that stays the same for a whole period gets a disconnect time.
//
// Thread: the executor's; stop() is called there, or when the executor has ended.
class Finalizer {
 public:
  Finalizer(const model::Registry& registry, store::Store& store, const Clock& clock, TimerExecutor& executor,
            observe::Metrics* metrics, FinalizerOptions options);
  ~Finalizer();  // stop()

  void start();  // any thread, once
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kuma::insight
