#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "mesh/view_builder.h"
#include "observe/metrics.h"
#include "store/store.h"
#include "xds/gen/available_services.h"
#include "xds/gen/generator.h"
#include "xds/server/certificate_info.h"
#include "xds/server/identity.h"
#include "xds/server/propagation.h"
#include "xds/server/snapshot.h"

namespace kuma::xds {

// Where a proxy's configuration goes: its stream, which lives on a loop of its own.
class SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;
  // Hands the snapshot on to the stream's loop; never blocks, never calls back. Once the proxy has answered all of it the
  // stream tells Engine::acknowledged() the `sequence`. `propagations` are told when the proxy has acknowledged it.
  virtual void deliver(SnapshotPtr snapshot, uint64_t sequence, std::vector<PropagationPtr> propagations) = 0;
};

// What is known of a connected proxy's configuration, for people.
struct ProxyStatus {
  std::string error;               // why the last generation failed; empty: it did not
  std::vector<Problem> problems;   // what was left out of it
};

// From the store's changes to the snapshots of the proxies that they concern.
//
// Takes the change feed in batches, folds each into the next views (ViewBuilder) and marks the connected proxies that it
// concerns. Marked proxies are taken up one after the other (PushScheduler): a worker generates the configuration from the
// newest view, and what differs from the last one is delivered. A proxy that has not answered is not generated anew.
//
// Nothing polls: with nothing changing, nothing runs, but for a resync every half hour or so (jittered) that would mend what a
// mistake of ours had missed, renewals of certificates when they are due, and the resolution of host names in addresses. A
// generation or a renewal that fails is tried again, after 1 s, 2 s, … 5 min, or when something changes.
//
// Thread: state lives on `executor`, a single thread. connect(), disconnect(), acknowledged(), view() and status() may be
// called from anywhere.
class Engine {
 public:
  struct Options {
    std::string zone;
    mesh::VipNaming vip_naming{};
    bool auto_reachable = false;  // proxies are told only of what MeshTrafficPermissions let them reach
    std::chrono::nanoseconds resolve_interval = std::chrono::seconds(10);
    std::chrono::nanoseconds resync_interval = std::chrono::minutes(30);
    // After so long without an answer a proxy is generated anew all the same.
    std::chrono::nanoseconds ack_wait_max = std::chrono::seconds(5);
    // Generations at work at a time; with workers, a few more than these, so that none waits for its next one.
    size_t jobs_max = 4;
    // What connected ingresses offer to other zones is counted at most this often.
    std::chrono::nanoseconds available_services_interval = std::chrono::milliseconds(250);
    std::vector<std::string> ingress_tag_filters = {};  // KUMA_EXPERIMENTAL_INGRESS_TAG_FILTERS
  };
  struct Parts {
    const model::Registry& registry;
    store::Store& store;
    const Clock& clock;
    TimerExecutor& executor;
    Executor* generators = nullptr;  // threads for generation, stopped after the engine; null: `executor` does it
    Executor& workers;               // resolves host names
    observe::Metrics& metrics;
    // The certificate of a connected dataplane, or that it has none; and that it is not connected any more.
    std::function<void(const model::ResourceKey& dataplane, const std::optional<CertificateInfo>& certificate)> on_certificate;
    std::function<void(const model::ResourceKey& dataplane)> on_gone;
    // The address of a host name, empty if it has none. Called on `workers`.
    std::function<std::string(const std::string& host)> resolve;
    // Reads a file that a provided certificate authority names.
    std::function<absl::StatusOr<std::string>(const std::string& path)> read_file;
    // Stores what a connected ingress offers, which differs from what its resource says. Called on `executor`; must not wait.
    std::function<void(const std::string& ingress, const AvailableServices::List& services)> write_available_services = nullptr;
    IdentityIssuer::Issue issue_identity = security::issue_identity;
  };

  Engine(Options options, Parts parts);
  ~Engine();  // stop()

  void start();
  // When it returns nothing runs any more and nothing is delivered. Not from the executor.
  void stop();

  // A stream of a proxy wants its configuration, now and whenever it changes. The handle that it is known by ends with
  // disconnect(); the sink is not called any more after that has been carried out, so it is shared.
  using ConnectionId = uint64_t;
  ConnectionId connect(const model::ResourceKey& proxy, const ProxyMetadata& metadata, std::shared_ptr<SnapshotSink> sink);
  void disconnect(ConnectionId id);
  // The proxy has answered all of the delivery `sequence`, by taking or by refusing it.
  void acknowledged(ConnectionId id, uint64_t sequence);

  mesh::MeshViewPtr view(std::string_view mesh) const;
  std::optional<ProxyStatus> status(const model::ResourceKey& proxy, ProxyType type = ProxyType::Dataplane) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kuma::xds
