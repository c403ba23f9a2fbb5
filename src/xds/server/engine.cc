#include "xds/server/engine.h"

#include <algorithm>
#include <random>

#include "xds/server/engine_impl.h"

namespace kuma::xds {
namespace {

std::string_view type_name(ProxyType type) {
  return type == ProxyType::ZoneIngress ? "ingress" : type == ProxyType::ZoneEgress ? "egress" : "dataplane";
}

}  // namespace

Engine::Impl::Impl(Options o, Parts p)
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

void Engine::Impl::on_connect(ConnectionId id, const ProxyKey& key, const ProxyMetadata& metadata, std::shared_ptr<SnapshotSink> sink) {
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

void Engine::Impl::on_disconnect(ConnectionId id) {
  const auto found = connections.find(id);
  if (found == connections.end()) {
    return;
  }
  const ProxyKey key = found->second;
  connections.erase(found);
  const auto proxy = proxies.find(key);
  std::erase_if(proxy->second.connections, [&](const ConnectedProxy::Connection& connection) { return connection.id == id; });
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

void Engine::Impl::on_acknowledged(ConnectionId id, uint64_t sequence) {
  const auto found = connections.find(id);
  if (found == connections.end()) {
    return;
  }
  ConnectedProxy& proxy = proxies.at(found->second);
  for (ConnectedProxy::Connection& connection : proxy.connections) {
    if (connection.id == id) {
      connection.acknowledged = std::max(connection.acknowledged, sequence);
    }
  }
  check_acknowledged(found->second, proxy);
}

void Engine::Impl::check_acknowledged(const ProxyKey& key, const ConnectedProxy& proxy) {
  if (std::all_of(proxy.connections.begin(), proxy.connections.end(),
                  [](const ConnectedProxy::Connection& connection) { return connection.acknowledged >= connection.delivered; })) {
    scheduler.acknowledged(key);
    run();
  }
}

void Engine::Impl::start() {
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

void Engine::Impl::schedule_resync() {
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

void Engine::Impl::stop() {
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
