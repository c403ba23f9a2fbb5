#include "xds/server/engine.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>

#include "base/log.h"
#include "base/status.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "system/v1alpha1/secret.pb.h"
#include "xds/server/host_resolver.h"
#include "xds/server/proxy_configurator.h"
#include "xds/server/push_scheduler.h"

namespace kuma::xds {
namespace {

constexpr std::string_view kAdminCaSecret = "envoy-admin-ca";
constexpr std::chrono::nanoseconds kRetryDelayMin = std::chrono::seconds(1);
constexpr std::chrono::nanoseconds kRetryDelayMax = std::chrono::minutes(5);
// Generations on the executor itself before it looks at what else there is to do.
constexpr size_t kTurnMax = 16;
// Changes kept for a proxy whose generation is under way; with more it is generated again, whatever they are.
constexpr size_t kChangesMeanwhileMax = 64;

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

// A proxy with at least one open stream.
struct ConnectedProxy {
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

std::string_view type_name(ProxyType type) {
  return type == ProxyType::ZoneIngress ? "ingress" : type == ProxyType::ZoneEgress ? "egress" : "dataplane";
}

bool is_of_zone_proxy(const model::Change& change) {
  return change.type().name == "ZoneIngress" || change.type().name == "ZoneEgress";
}

bool same(const Snapshot& a, const Snapshot& b) {
  return std::equal(a.types.begin(), a.types.end(), b.types.begin(),
                    [](const TypeSnapshot& x, const TypeSnapshot& y) { return x.version == y.version; });
}

std::chrono::nanoseconds retry_delay(size_t failures) {
  return std::min(kRetryDelayMax, kRetryDelayMin * (int64_t{1} << std::min<size_t>(failures - 1, 20)));
}

}  // namespace

struct Engine::Impl : std::enable_shared_from_this<Engine::Impl> {
  using Result = absl::StatusOr<ProxyConfigurator::Result>;

  Impl(Options o, Parts p)
      : options(std::move(o)),
        parts(std::move(p)),
        builder(parts.registry, {.zone = options.zone, .read_file = parts.read_file, .vip_naming = options.vip_naming, .auto_reachable = options.auto_reachable}),
        issuer(parts.clock, interner, parts.metrics, parts.issue_identity),
        scheduler({.ack_wait_max = options.ack_wait_max}),
        available_services(options.ingress_tag_filters),
        generator_runs(parts.metrics.counter("xds_generator_runs", "Configurations of proxies that were generated")),
        pushes(parts.metrics.counter("xds_pushes", "Snapshots that were handed to streams because they differ from the last")),
        generation_errors(parts.metrics.counter("xds_generation_errors", "Generations that failed")),
        batches(parts.metrics.counter("mesh_view_batches", "Batches of changes folded into views")),
        waiting(parts.metrics.gauge("xds_proxies_marked", "Proxies that a change concerns and that have not been taken up yet")),
        propagation(parts.metrics.histogram(
            "xds_propagation_seconds", "Time from the commit of a write to the last acknowledgement of a proxy that it concerns", {},
            {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30})) {
    for (const ProxyType type : {ProxyType::Dataplane, ProxyType::ZoneIngress, ProxyType::ZoneEgress}) {
      for (const bool changed : {false, true}) {
        generation_time.emplace(std::pair(type, changed),
                                parts.metrics.summary("xds_generation", "Summary of XDS Snapshot generation",
                                                      {{"proxy_type", std::string(type_name(type))}, {"result", changed ? "changed" : "generated"}}));
      }
    }
  }

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

  // ---------------------------------------------------------------- changes

  // On a writer's thread, with the store locked: only hands the changes on.
  void on_changes(std::span<const model::Change> changes) {
    const std::lock_guard lock(pending_mutex);
    pending.insert(pending.end(), changes.begin(), changes.end());
    if (!drain_posted) {
      drain_posted = true;
      post([this] { drain(); });
    }
  }

  void drain() {
    std::vector<model::Change> changes;
    {
      const std::lock_guard lock(pending_mutex);
      changes.swap(pending);
      drain_posted = false;
    }
    batches.add();
    bool admin_changed = false;
    for (const model::Change& change : changes) {
      admin_changed = take_admin_authority(change) || admin_changed;
    }
    std::vector<mesh::MeshUpdate> updates = builder.apply(changes);
    const bool of_zone_proxies = std::any_of(changes.begin(), changes.end(), is_of_zone_proxy);
    if (!updates.empty() || of_zone_proxies) {
      on_new_zone_view();
    }
    if (of_zone_proxies) {
      consider_own_resources(std::make_shared<Propagation>(changes.front().committed_at, propagation));
    }
    apply(std::move(updates));
    if (admin_changed) {
      waits_for_admin_authority = false;
      for (const auto& [key, proxy] : proxies) {
        scheduler.mark(key, PushScheduler::Reason::Change);
      }
    }
    resolver->watch(builder.hosts());
    run();
  }

  std::map<ProxyKey, ConnectedProxy>::iterator first_zone_proxy() { return proxies.lower_bound({ProxyType::ZoneIngress, {}}); }

  void apply(std::vector<mesh::MeshUpdate> updates) {
    for (mesh::MeshUpdate& update : updates) {
      publish(update);
      const bool is_gone = update.view == nullptr;
      const std::string name = is_gone ? update.previous->name : update.view->name;
      const auto token = std::make_shared<Propagation>(update.change.committed_at, propagation);
      const MarkedUpdate marked{std::make_shared<const mesh::MeshUpdate>(std::move(update)), token};
      // The dataplanes of a mesh stand together; those of a mesh that is gone keep what they have.
      for (auto it = proxies.lower_bound({ProxyType::Dataplane, {name, ""}});
           !is_gone && it != proxies.end() && it->first.type == ProxyType::Dataplane && it->first.key.mesh == name; ++it) {
        consider(it->first, it->second, marked);
      }
      // The zone's own proxies may have something of every mesh.
      for (auto it = first_zone_proxy(); it != proxies.end(); ++it) {
        consider(it->first, it->second, marked);
      }
    }
  }

  // What ingresses offer is counted soon: at once after a quiet time, else when the interval is over.
  void mark_available_services() {
    const auto first = proxies.lower_bound({ProxyType::ZoneIngress, {}});
    const bool has_ingress = first != proxies.end() && first->first.type == ProxyType::ZoneIngress;
    if (available_services_timer == nullptr && parts.write_available_services != nullptr && has_ingress) {
      const MonotonicTime due = available_services_at + options.available_services_interval;
      available_services_timer = post_after(due - parts.clock.monotonic_now(), [this] { count_available_services(); });
    }
  }

  void count_available_services() {
    available_services_timer = nullptr;
    available_services_at = parts.clock.monotonic_now();
    const mesh::ZoneView zone = builder.zone_view();
    const AvailableServices::List services = available_services.compute(zone);
    for (auto it = proxies.lower_bound({ProxyType::ZoneIngress, {}}); it != proxies.end() && it->first.type == ProxyType::ZoneIngress;
         ++it) {
      const model::ResourcePtr ingress = zone.find_ingress(it->first.key.name);
      if (ingress != nullptr && !same_services(ingress->as<::kuma::mesh::v1alpha1::ZoneIngress>().availableservices(), services)) {
        parts.write_available_services(it->first.key.name, services);
      }
    }
  }

  void on_new_zone_view() {
    mark_available_services();
    zone_view = nullptr;
  }

  // Marks the zone's proxies whose own resource is another one than they were made for.
  void consider_own_resources(const PropagationPtr& token) {
    for (auto it = first_zone_proxy(); it != proxies.end(); ++it) {
      if (it->second.busy || own_resource_concerns(*current_zone_view(), it->first.type, it->first.key.name, it->second.last.get())) {
        scheduler.mark(it->first, PushScheduler::Reason::Change, token);
      }
    }
  }

  const std::shared_ptr<const mesh::ZoneView>& current_zone_view() {
    if (zone_view == nullptr) {
      zone_view = std::make_shared<const mesh::ZoneView>(builder.zone_view());
    }
    return zone_view;
  }

  bool concerned(const ProxyKey& key, const ConnectedProxy& proxy, const mesh::MeshUpdate& update) {
    if (key.type == ProxyType::Dataplane) {
      return concerns(update.change, *update.view, key.key, proxy.last.get(), &pieces);
    }
    const std::string& mesh = (update.view == nullptr ? update.previous : update.view)->name;
    return concerns_zone_proxy(update.change, mesh, update.view.get(), key.type, proxy.last.get());
  }

  void consider(const ProxyKey& key, ConnectedProxy& proxy, const MarkedUpdate& marked) {
    if (proxy.busy && proxy.meanwhile.size() < kChangesMeanwhileMax) {
      proxy.meanwhile.push_back(marked);  // what it looks at is known when the generation is through
    } else if (proxy.busy || concerned(key, proxy, *marked.update)) {
      scheduler.mark(key, PushScheduler::Reason::Change, marked.propagation);
    }
  }

  void publish(const mesh::MeshUpdate& update) {
    const std::lock_guard lock(published_mutex);
    if (update.view != nullptr) {
      published.insert_or_assign(update.view->name, update.view);
    } else {
      published.erase(update.previous->name);
    }
  }

  // True when the change is one of the authority of admin listeners.
  bool take_admin_authority(const model::Change& change) {
    if (change.after == nullptr || change.type().name != "GlobalSecret" || change.meta().name != kAdminCaSecret) {
      return false;
    }
    const std::string& pem = change.after->as<::kuma::system::v1alpha1::Secret>().data().value();
    if (admin_authority != nullptr && pem == admin_authority->pem) {
      return false;
    }
    auto authority = security::Authority::load(pem, pem);
    if (!authority.ok()) {
      log->error("the GlobalSecret {} is not usable: {}", kAdminCaSecret, message_of(authority.status()));
      return false;
    }
    admin_authority = std::make_shared<const AdminAuthority>(AdminAuthority{*std::move(authority), pem});
    return true;
  }

  // ---------------------------------------------------------------- generation

  // Takes up proxies that are due, as many as may be at work, and comes back when there are more.
  void run() {
    for (size_t taken = 0; parts.generators == nullptr ? taken < kTurnMax : jobs < options.jobs_max; ++taken) {
      auto work = scheduler.take_next(parts.clock.monotonic_now());
      if (!work) {
        break;
      }
      begin(*std::move(work));
    }
    waiting.set(static_cast<double>(scheduler.marked_count()));
    if (parts.generators == nullptr && scheduler.has_ready() && !turn_posted) {
      turn_posted = true;
      post([this] {
        turn_posted = false;
        run();
      });
    }
    const auto at = scheduler.wake_at();
    wake_timer = at ? post_after(*at - parts.clock.monotonic_now(), [this] { run(); }) : nullptr;
  }

  void begin(PushScheduler::Work work) {
    const auto found = proxies.find(work.proxy);
    if (found == proxies.end()) {
      scheduler.done(work.proxy);
      return;
    }
    ConnectedProxy& proxy = found->second;
    ConfiguratorInput input = input_of(work.proxy, proxy);
    if ((input.mesh == nullptr && input.zone == nullptr) || (input.metadata.admin_port != 0 && input.admin == nullptr)) {
      cannot_begin(work.proxy, input);
      deliver_pending(proxy, {});
      scheduler.done(work.proxy);
      return;
    }
    proxy.busy = true;
    generator_runs.add();
    if (parts.generators == nullptr) {
      const MonotonicTime begun = parts.clock.monotonic_now();
      Result result = proxy.configurator->configure(input);
      finish(std::move(work), proxy.configurator, std::move(result), parts.clock.monotonic_now() - begun);
      return;
    }
    ++jobs;
    parts.generators->post([self = shared_from_this(), work = std::move(work), configurator = proxy.configurator,
                            input = std::move(input)]() mutable { self->generate(std::move(work), configurator, input); });
  }

  ConfiguratorInput input_of(const ProxyKey& key, const ConnectedProxy& proxy) {
    ConfiguratorInput input{.mesh = nullptr, .zone = nullptr, .metadata = proxy.metadata, .admin = admin_authority};
    if (key.type == ProxyType::Dataplane) {
      input.mesh = builder.find(key.key.mesh);
      return input;
    }
    input.zone = current_zone_view();
    return input;
  }

  // Waiting for the mesh or for the first start to come through: nobody's mistake.
  void cannot_begin(const ProxyKey& key, const ConfiguratorInput& input) {
    if (input.mesh == nullptr && input.zone == nullptr) {
      set_status(key, {fmt::format("mesh \"{}\" is not there", key.key.mesh), {}});
      return;
    }
    if (!std::exchange(waits_for_admin_authority, true)) {
      log->info("proxies wait for the GlobalSecret {}, which a first start makes in the background", kAdminCaSecret);
    }
    set_status(key, {fmt::format("the GlobalSecret {} is not there yet; it is made in the background at the first start", kAdminCaSecret), {}}, false);
  }

  // On a generator's thread.
  void generate(PushScheduler::Work work, const std::shared_ptr<ProxyConfigurator>& configurator, const ConfiguratorInput& input) {
    {
      const std::lock_guard lock(jobs_mutex);
      if (jobs_stopped) {
        return;
      }
      ++jobs_running;
    }
    const MonotonicTime begun = parts.clock.monotonic_now();
    Result result = configurator->configure(input);
    const std::chrono::nanoseconds took = parts.clock.monotonic_now() - begun;
    post([this, work = std::move(work), configurator, result = std::move(result), took]() mutable {
      --jobs;
      finish(std::move(work), configurator, std::move(result), took);
      run();
    });
    const std::lock_guard lock(jobs_mutex);
    --jobs_running;
    jobs_changed.notify_all();
  }

  void finish(PushScheduler::Work work, const std::shared_ptr<ProxyConfigurator>& configurator, Result result,
              std::chrono::nanoseconds took) {
    const auto found = proxies.find(work.proxy);
    if (found == proxies.end() || found->second.configurator != configurator) {
      return;  // it went meanwhile, and may have come again: with work of its own
    }
    scheduler.done(work.proxy);
    ConnectedProxy& proxy = found->second;
    proxy.busy = false;
    if (!result.ok()) {
      on_failure(work.proxy, proxy, result.status());
    } else {
      on_success(work, proxy, *std::move(result), took);
    }
    for (const MarkedUpdate& marked : std::exchange(proxy.meanwhile, {})) {
      consider(work.proxy, proxy, marked);
    }
  }

  void on_failure(const ProxyKey& key, ConnectedProxy& proxy, const absl::Status& status) {
    set_status(key, {std::string(message_of(status)), {}});
    deliver_pending(proxy, {});
    if (key.type != ProxyType::Dataplane) {
      proxy.last = nullptr;  // what would mend it can't be told from what it looked at before
    }
    if (absl::IsNotFound(status) || absl::IsUnimplemented(status)) {
      return;  // until something changes
    }
    generation_errors.add();
    schedule(key, proxy, retry_delay(++proxy.failures));
  }

  void on_success(PushScheduler::Work& work, ConnectedProxy& proxy, ProxyConfigurator::Result result, std::chrono::nanoseconds took) {
    const ProxyKey& key = work.proxy;
    proxy.last = std::move(result.generation);
    const bool changed = proxy.snapshot == nullptr || !same(*proxy.snapshot, *result.snapshot);
    generation_time.at({key.type, changed}).observe(std::chrono::duration<double, std::milli>(took).count());
    set_status(key, {result.renewal_error, proxy.last->problems});
    if (!result.renewal_error.empty()) {
      generation_errors.add();
      schedule(key, proxy, retry_delay(++proxy.failures));
    } else {
      proxy.failures = 0;
      proxy.timer = nullptr;
      if (result.renew_at) {
        schedule(key, proxy, std::max<std::chrono::nanoseconds>(*result.renew_at - parts.clock.wall_now(), kRetryDelayMin));
      }
    }
    if (key.type == ProxyType::Dataplane && parts.on_certificate) {
      parts.on_certificate(key.key, result.certificate);
    }
    if (changed) {
      proxy.snapshot = std::move(result.snapshot);
      ++proxy.sequence;
      if (work.only_resync) {
        log->error("the resync found {} in mesh {} with an old configuration", key.key.name, key.key.mesh);
      }
      scheduler.sent(key, parts.clock.monotonic_now());
    }
    deliver_pending(proxy, work.propagations);
  }

  // Hands the snapshot to those streams that have not got it.
  void deliver_pending(ConnectedProxy& proxy, const std::vector<PropagationPtr>& propagations) {
    for (Connection& connection : proxy.connections) {
      if (connection.delivered < proxy.sequence) {
        connection.delivered = proxy.sequence;
        pushes.add();
        connection.sink->deliver(proxy.snapshot, proxy.sequence, propagations);
      }
    }
  }

  // Takes the proxy up again then, though nothing changed.
  void schedule(const ProxyKey& key, ConnectedProxy& proxy, std::chrono::nanoseconds delay) {
    proxy.timer = post_after(delay, [this, key] {
      if (proxies.contains(key)) {
        scheduler.mark(key, PushScheduler::Reason::Change);
        run();
      }
    });
  }

  void set_status(const ProxyKey& key, ProxyStatus status, bool warn = true) {
    const std::lock_guard lock(published_mutex);
    ProxyStatus& existing = statuses[key];
    if (warn && !status.error.empty() && status.error != existing.error) {
      log->warn("no new configuration for {} in mesh {}: {}", key.key.name, key.key.mesh, status.error);
    }
    existing = std::move(status);
  }

  // ---------------------------------------------------------------- streams

  void on_connect(ConnectionId id, const ProxyKey& key, const ProxyMetadata& metadata, std::shared_ptr<SnapshotSink> sink) {
    ConnectedProxy& proxy = proxies[key];
    connections.emplace(id, key);
    proxy.connections.push_back({.id = id, .sink = std::move(sink)});
    if (proxy.configurator == nullptr) {
      proxy.configurator = std::make_shared<ProxyConfigurator>(configurator_parts, key);
    }
    if (proxy.snapshot != nullptr && proxy.metadata == metadata) {
      deliver_pending(proxy, {});
      return;
    }
    proxy.metadata = metadata;
    scheduler.mark(key, PushScheduler::Reason::Change);
    mark_available_services();
    run();
  }

  void on_disconnect(ConnectionId id) {
    const auto found = connections.find(id);
    if (found == connections.end()) {
      return;
    }
    const ProxyKey key = found->second;
    connections.erase(found);
    const auto proxy = proxies.find(key);
    std::erase_if(proxy->second.connections, [&](const Connection& connection) { return connection.id == id; });
    if (!proxy->second.connections.empty()) {
      check_acknowledged(key, proxy->second);
      return;
    }
    proxies.erase(proxy);
    scheduler.forget(key);
    if (key.type == ProxyType::Dataplane && parts.on_gone) {
      parts.on_gone(key.key);
    }
    const std::lock_guard lock(published_mutex);
    statuses.erase(key);
  }

  void on_acknowledged(ConnectionId id, uint64_t sequence) {
    const auto found = connections.find(id);
    if (found == connections.end()) {
      return;
    }
    ConnectedProxy& proxy = proxies.at(found->second);
    for (Connection& connection : proxy.connections) {
      if (connection.id == id) {
        connection.acknowledged = std::max(connection.acknowledged, sequence);
      }
    }
    check_acknowledged(found->second, proxy);
  }

  void check_acknowledged(const ProxyKey& key, const ConnectedProxy& proxy) {
    if (std::all_of(proxy.connections.begin(), proxy.connections.end(),
                    [](const Connection& connection) { return connection.acknowledged >= connection.delivered; })) {
      scheduler.acknowledged(key);
      run();
    }
  }

  // ---------------------------------------------------------------- life

  void start() {
    resolver = std::make_unique<HostResolver>(options.resolve_interval, parts.executor, parts.workers, parts.resolve,
                                              [weak = weak_from_this()](const std::string& host, const std::string& address) {
                                                if (const auto self = weak.lock()) {
                                                  self->guarded([self, host, address] {
                                                    std::vector<mesh::MeshUpdate> updates = self->builder.set_resolved(host, address);
                                                    self->on_new_zone_view();
                                                    self->consider_own_resources(nullptr);
                                                    self->apply(std::move(updates));
                                                    self->run();
                                                  })();
                                                }
                                              });
    schedule_resync();
  }

  void schedule_resync() {
    std::minstd_rand random(static_cast<unsigned>(parts.clock.monotonic_now().time_since_epoch().count()));
    const double jitter = std::uniform_real_distribution<double>(0.75, 1.25)(random);
    resync_timer = post_after(std::chrono::duration_cast<std::chrono::nanoseconds>(options.resync_interval * jitter), [this] {
      for (const auto& [key, proxy] : proxies) {
        scheduler.mark(key, PushScheduler::Reason::Resync);
      }
      mark_available_services();
      run();
      schedule_resync();
    });
  }

  void stop() {
    subscription = nullptr;
    {
      std::unique_lock lock(jobs_mutex);
      jobs_stopped = true;
      jobs_changed.wait(lock, [this] { return jobs_running == 0; });
    }
    const std::lock_guard lock(running);
    if (std::exchange(stopped, true)) {
      return;
    }
    // Timers end on their own thread; until then they find that all is over.
    std::vector<std::shared_ptr<void>> timers = {std::move(resync_timer), std::move(wake_timer), std::move(available_services_timer)};
    for (auto& [key, proxy] : proxies) {
      timers.push_back(std::move(proxy.timer));
    }
    if (resolver != nullptr) {
      timers.push_back(std::shared_ptr<HostResolver>(std::move(resolver)));
    }
    proxies.clear();
    connections.clear();
    parts.executor.post([timers = std::move(timers)]() mutable { timers.clear(); });
  }
};

Engine::Engine(Options options, Parts parts) : impl_(std::make_shared<Impl>(std::move(options), std::move(parts))) {}

Engine::~Engine() { stop(); }

void Engine::start() {
  impl_->post([self = impl_.get()] { self->start(); });
  impl_->subscription = impl_->parts.store.subscribe([self = impl_.get()](std::span<const model::Change> changes) { self->on_changes(changes); });
}

void Engine::stop() { impl_->stop(); }

Engine::ConnectionId Engine::connect(const model::ResourceKey& proxy, const ProxyMetadata& metadata, std::shared_ptr<SnapshotSink> sink) {
  const ConnectionId id = ++impl_->last_connection;
  impl_->post([self = impl_.get(), id, key = ProxyKey{metadata.proxy_type, proxy}, metadata, sink = std::move(sink)] {
    self->on_connect(id, key, metadata, sink);
  });
  return id;
}

void Engine::disconnect(ConnectionId id) {
  impl_->post([self = impl_.get(), id] { self->on_disconnect(id); });
}

void Engine::acknowledged(ConnectionId id, uint64_t sequence) {
  impl_->post([self = impl_.get(), id, sequence] { self->on_acknowledged(id, sequence); });
}

mesh::MeshViewPtr Engine::view(std::string_view mesh) const {
  const std::lock_guard lock(impl_->published_mutex);
  const auto found = impl_->published.find(mesh);
  return found == impl_->published.end() ? nullptr : found->second;
}

std::optional<ProxyStatus> Engine::status(const model::ResourceKey& proxy, ProxyType type) const {
  const std::lock_guard lock(impl_->published_mutex);
  const auto found = impl_->statuses.find({type, proxy});
  return found == impl_->statuses.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace kuma::xds
