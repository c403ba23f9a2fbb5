#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>

#include "base/log.h"
#include "xds/gen/shared_pieces.h"
#include "xds/server/engine.h"
#include "xds/server/host_resolver.h"
#include "xds/server/proxy_configurator.h"
#include "xds/server/push_scheduler.h"

// The engine's state and what its parts call of each other. For engine*.cc only.
namespace kuma::xds {

inline constexpr std::string_view kAdminCaSecret = "envoy-admin-ca";

// A proxy with at least one open stream.
struct ConnectedProxy {
  struct Connection {
    Engine::ConnectionId id = 0;
    std::shared_ptr<SnapshotSink> sink;
    uint64_t delivered = 0;
    uint64_t acknowledged = 0;
  };
  struct MarkedUpdate {
    std::shared_ptr<const mesh::MeshUpdate> update;
    PropagationPtr propagation;
  };

  ProxyMetadata metadata;
  std::vector<Connection> connections;
  std::shared_ptr<ProxyConfigurator> configurator;
  std::shared_ptr<const Generation> last;
  SnapshotPtr snapshot;
  uint64_t sequence = 0;  // of the last snapshot that differs from the one before
  bool busy = false;      // a generation is under way
  std::vector<MarkedUpdate> meanwhile;
  std::shared_ptr<void> timer;  // renewal of the certificate, or another try
  size_t failures = 0;          // in a row
};

struct Engine::Impl : std::enable_shared_from_this<Engine::Impl> {
  using Result = absl::StatusOr<ProxyConfigurator::Result>;

  Impl(Options o, Parts p);

  const Options options;
  const Parts parts;
  const std::shared_ptr<spdlog::logger> log = make_logger("xds.engine");
  Interner interner;
  SharedPieces pieces;

  // On the executor only, with `running` locked.
  std::mutex running;  // held while anything on the executor runs, so that stop() can wait for it
  bool stopped = false;
  mesh::ViewBuilder builder;
  IdentityIssuer issuer;  // also used by generators
  const ConfiguratorParts configurator_parts{.clock = parts.clock, .interner = interner, .pieces = pieces, .issuer = issuer};
  PushScheduler scheduler;
  std::map<ProxyKey, ConnectedProxy> proxies;
  std::map<ConnectionId, ProxyKey> connections;
  AvailableServices available_services;
  MonotonicTime available_services_at{};  // when they were counted last
  std::shared_ptr<void> available_services_timer;
  std::shared_ptr<const mesh::ZoneView> zone_view;  // of the newest views; null: to be made
  AdminAuthorityPtr admin_authority;
  bool waits_for_admin_authority = false;
  std::unique_ptr<HostResolver> resolver;
  std::shared_ptr<void> resync_timer, wake_timer;
  bool turn_posted = false;
  size_t jobs = 0;  // under way on generators

  std::mutex jobs_mutex;  // guards the next two
  std::condition_variable jobs_changed;
  size_t jobs_running = 0;
  bool jobs_stopped = false;

  std::mutex pending_mutex;  // guards the next two
  std::vector<model::Change> pending;
  bool drain_posted = false;

  mutable std::mutex published_mutex;  // guards the next two
  std::map<std::string, mesh::MeshViewPtr, std::less<>> published;
  std::map<ProxyKey, ProxyStatus> statuses;

  const observe::Counter generator_runs, pushes, generation_errors, batches;
  const observe::Gauge waiting;
  std::map<std::pair<ProxyType, bool>, observe::Summary> generation_time;
  const observe::Histogram propagation;
  std::atomic<ConnectionId> last_connection{0};
  std::unique_ptr<store::Subscription> subscription;

  // Work for the executor: not run once the engine has stopped.
  std::function<void()> guarded(std::function<void()> work) {
    return [weak = weak_from_this(), work = std::move(work)] {
      if (const auto self = weak.lock()) {
        const std::lock_guard lock(self->running);
        if (!self->stopped) {
          work();
        }
      }
    };
  }
  void post(std::function<void()> work) { parts.executor.post(guarded(std::move(work))); }
  std::shared_ptr<void> post_after(std::chrono::nanoseconds delay, std::function<void()> work) {
    return parts.executor.post_after(std::max(delay, std::chrono::nanoseconds(0)), guarded(std::move(work)));
  }

  std::map<ProxyKey, ConnectedProxy>::iterator first_zone_proxy() { return proxies.lower_bound({ProxyType::ZoneIngress, {}}); }

  // Changes of the store: engine_changes.cc.
  // On a writer's thread, with the store locked: only hands the changes on.
  void on_changes(std::span<const model::Change> changes);
  void drain();
  void apply(std::vector<mesh::MeshUpdate> updates);
  // What ingresses offer is counted soon: at once after a quiet time, else when the interval is over.
  void mark_available_services();
  void count_available_services();
  void on_new_zone_view();
  // Marks the zone's proxies whose own resource is another one than they were made for.
  void consider_own_resources(const PropagationPtr& token);
  const std::shared_ptr<const mesh::ZoneView>& current_zone_view();
  bool concerned(const ProxyKey& key, const ConnectedProxy& proxy, const mesh::MeshUpdate& update);
  void consider(const ProxyKey& key, ConnectedProxy& proxy, const ConnectedProxy::MarkedUpdate& marked);
  void publish(const mesh::MeshUpdate& update);
  // True when the change is one of the authority of admin listeners.
  bool take_admin_authority(const model::Change& change);

  // Generation and delivery: engine_generation.cc.
  // Takes up proxies that are due, as many as may be at work, and comes back when there are more.
  void run();
  void begin(PushScheduler::Work work);
  ConfiguratorInput input_of(const ProxyKey& key, const ConnectedProxy& proxy);
  // Waiting for the mesh or for the first start to come through: nobody's mistake.
  void cannot_begin(const ProxyKey& key, const ConfiguratorInput& input);
  // On a generator's thread.
  void generate(PushScheduler::Work work, const std::shared_ptr<ProxyConfigurator>& configurator, const ConfiguratorInput& input);
  void finish(PushScheduler::Work work, const std::shared_ptr<ProxyConfigurator>& configurator, Result result,
              std::chrono::nanoseconds took);
  void on_failure(const ProxyKey& key, ConnectedProxy& proxy, const absl::Status& status);
  void on_success(PushScheduler::Work& work, ConnectedProxy& proxy, ProxyConfigurator::Result result, std::chrono::nanoseconds took);
  // Hands the snapshot to those streams that have not got it.
  void deliver_pending(ConnectedProxy& proxy, const std::vector<PropagationPtr>& propagations);
  // Takes the proxy up again then, though nothing changed.
  void schedule(const ProxyKey& key, ConnectedProxy& proxy, std::chrono::nanoseconds delay);
  void set_status(const ProxyKey& key, ProxyStatus status, bool warn = true);

  // Streams, and life: engine.cc.
  void on_connect(ConnectionId id, const ProxyKey& key, const ProxyMetadata& metadata, std::shared_ptr<SnapshotSink> sink);
  void on_disconnect(ConnectionId id);
  void on_acknowledged(ConnectionId id, uint64_t sequence);
  void check_acknowledged(const ProxyKey& key, const ConnectedProxy& proxy);
  void start();
  void schedule_resync();
  void stop();
};

}  // namespace kuma::xds
