#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "mesh/view_builder.h"
#include "observe/metrics.h"
#include "store/store.h"
#include "xds/gen/generator.h"
#include "xds/gen/shared_pieces.h"
#include "xds/server/identity.h"
#include "xds/server/insight_writer.h"
#include "xds/server/snapshot.h"

namespace kuma::xds {

// Where a proxy's configuration goes: its stream, which lives on a loop of its own.
class SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;
  // Hands the snapshot on to the stream's loop; never blocks. `propagation` is to be kept until the proxy has acknowledged
  // what it was sent.
  virtual void deliver(SnapshotPtr snapshot, std::shared_ptr<void> propagation) = 0;
};

// What is known of a connected proxy's configuration, for people.
struct ProxyStatus {
  std::string error;               // why the last generation failed; empty: it did not
  std::vector<Problem> problems;   // what was left out of it
};

// From the store's changes to the snapshots of the proxies that they concern.
//
// Takes the change feed in batches, folds each into the next views (ViewBuilder), finds the connected proxies that it
// concerns and generates their configuration from the new view. Nothing polls: with nothing changing, nothing runs, but for
// a resync every half hour or so (jittered) that would mend what a mistake of ours had missed, renewals of certificates when
// they are due, and the resolution of host names in addresses.
//
// Thread: all work is done on `executor`, a single thread. connect(), disconnect(), view() and status() may be called from
// anywhere.
class Engine {
 public:
  struct Options {
    std::string zone;
    std::chrono::nanoseconds resolve_interval = std::chrono::seconds(10);
    std::chrono::nanoseconds resync_interval = std::chrono::minutes(30);
  };
  struct Parts {
    const model::Registry& registry;
    store::Store& store;
    const Clock& clock;
    TimerExecutor& executor;
    Executor& workers;  // resolves host names
    observe::Metrics& metrics;
    InsightWriter& insights;
    // The address of a host name, empty if it has none. Called on `workers`.
    std::function<std::string(const std::string& host)> resolve;
    // Reads a file that a provided certificate authority names.
    std::function<absl::StatusOr<std::string>(const std::string& path)> read_file;
  };

  Engine(Options options, Parts parts);
  ~Engine();  // stop()

  void start();
  // After it nothing runs and nothing is delivered.
  void stop();

  // A stream of a proxy wants its configuration, now and whenever it changes. The handle that it is known by ends with
  // disconnect(); the sink is not called any more after that has been carried out, so it is shared.
  using ConnectionId = uint64_t;
  ConnectionId connect(const model::ResourceKey& proxy, const ProxyMetadata& metadata, std::shared_ptr<SnapshotSink> sink);
  void disconnect(ConnectionId id);

  mesh::MeshViewPtr view(std::string_view mesh) const;
  std::optional<ProxyStatus> status(const model::ResourceKey& proxy) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kuma::xds
