#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/executor.h"
#include "observe/metrics.h"
#include "store/store.h"

namespace kuma::insight {

struct DataplaneGcOptions {
  std::chrono::nanoseconds age = std::chrono::hours(72);  // offline for longer: removed
  std::chrono::nanoseconds period = std::chrono::minutes(1);
};

// Removes dataplanes whose proxy has been gone for long (universal only, not in a global control plane). Those that
// never connected stay.
//
// Thread: the executor's; stop() is called there, or when the executor has ended.
class DataplaneGc {
 public:
  // `remove` deletes a Dataplane; called on the executor.
  using Remove = std::function<absl::Status(const model::ResourceKey&)>;
  DataplaneGc(const model::Registry& registry, const store::Store& store, const Clock& clock, TimerExecutor& executor,
              observe::Metrics* metrics, DataplaneGcOptions options, Remove remove);
  ~DataplaneGc();  // stop()

  void start();  // any thread, once
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kuma::insight
