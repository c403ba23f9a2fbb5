#pragma once

#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/executor.h"
#include "observe/metrics.h"
#include "store/store.h"

namespace kuma::insight {

struct ResyncerOptions {
  std::chrono::nanoseconds interval_min = std::chrono::seconds(1);  // between two writes of one mesh's insights
};

// Keeps the MeshInsight and the ServiceInsight of every mesh true.
//
// The change feed marks meshes; a mark leads to a write soon, but never sooner than `interval_min` after the last one,
// and marks in between merge. Nothing is written that is equal to what is stored. With nothing changing, nothing runs.
//
// Thread: everything happens on the executor. stop() is called there, or when the executor has ended; after it nothing
// is written. Does not run in zone control planes, which get ServiceInsights from the global one.
class Resyncer {
 public:
  Resyncer(const model::Registry& registry, store::Store& store, const Clock& clock, TimerExecutor& executor,
           observe::Metrics* metrics, ResyncerOptions options);
  ~Resyncer();  // stop()

  void start();  // any thread, once
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kuma::insight
