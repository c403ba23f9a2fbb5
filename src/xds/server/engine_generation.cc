#include <algorithm>

#include "base/status.h"
#include "xds/server/engine_impl.h"

// From marked proxies to snapshots that their streams are given.
namespace kuma::xds {
namespace {

constexpr std::chrono::nanoseconds kRetryDelayMin = std::chrono::seconds(1);
constexpr std::chrono::nanoseconds kRetryDelayMax = std::chrono::minutes(5);
// Generations on the executor itself before it looks at what else there is to do.
constexpr size_t kTurnMax = 16;

bool same(const Snapshot& a, const Snapshot& b) {
  return std::equal(a.types.begin(), a.types.end(), b.types.begin(),
                    [](const TypeSnapshot& x, const TypeSnapshot& y) { return x.version == y.version; });
}

std::chrono::nanoseconds retry_delay(size_t failures) {
  return std::min(kRetryDelayMax, kRetryDelayMin * (int64_t{1} << std::min<size_t>(failures - 1, 20)));
}

}  // namespace

void Engine::Impl::run() {
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

void Engine::Impl::begin(PushScheduler::Work work) {
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

ConfiguratorInput Engine::Impl::input_of(const ProxyKey& key, const ConnectedProxy& proxy) {
  ConfiguratorInput input{.mesh = nullptr, .zone = nullptr, .metadata = proxy.metadata, .admin = admin_authority};
  if (key.type == ProxyType::Dataplane) {
    input.mesh = builder.find(key.key.mesh);
    return input;
  }
  input.zone = current_zone_view();
  return input;
}

void Engine::Impl::cannot_begin(const ProxyKey& key, const ConfiguratorInput& input) {
  if (input.mesh == nullptr && input.zone == nullptr) {
    set_status(key, {fmt::format("mesh \"{}\" is not there", key.key.mesh), {}});
    return;
  }
  if (!std::exchange(waits_for_admin_authority, true)) {
    log->info("proxies wait for the GlobalSecret {}, which a first start makes in the background", kAdminCaSecret);
  }
  set_status(key, {fmt::format("the GlobalSecret {} is not there yet; it is made in the background at the first start", kAdminCaSecret), {}}, false);
}

void Engine::Impl::generate(PushScheduler::Work work, const std::shared_ptr<ProxyConfigurator>& configurator, const ConfiguratorInput& input) {
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

void Engine::Impl::finish(PushScheduler::Work work, const std::shared_ptr<ProxyConfigurator>& configurator, Result result,
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
  for (const ConnectedProxy::MarkedUpdate& marked : std::exchange(proxy.meanwhile, {})) {
    consider(work.proxy, proxy, marked);
  }
}

void Engine::Impl::on_failure(const ProxyKey& key, ConnectedProxy& proxy, const absl::Status& status) {
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

void Engine::Impl::on_success(PushScheduler::Work& work, ConnectedProxy& proxy, ProxyConfigurator::Result result, std::chrono::nanoseconds took) {
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

void Engine::Impl::deliver_pending(ConnectedProxy& proxy, const std::vector<PropagationPtr>& propagations) {
  for (ConnectedProxy::Connection& connection : proxy.connections) {
    if (connection.delivered < proxy.sequence) {
      connection.delivered = proxy.sequence;
      pushes.add();
      connection.sink->deliver(proxy.snapshot, proxy.sequence, propagations);
    }
  }
}

void Engine::Impl::schedule(const ProxyKey& key, ConnectedProxy& proxy, std::chrono::nanoseconds delay) {
  proxy.timer = post_after(delay, [this, key] {
    if (proxies.contains(key)) {
      scheduler.mark(key, PushScheduler::Reason::Change);
      run();
    }
  });
}

void Engine::Impl::set_status(const ProxyKey& key, ProxyStatus status, bool warn) {
  const std::lock_guard lock(published_mutex);
  ProxyStatus& existing = statuses[key];
  if (warn && !status.error.empty() && status.error != existing.error) {
    log->warn("no new configuration for {} in mesh {}: {}", key.key.name, key.key.mesh, status.error);
  }
  existing = std::move(status);
}

}  // namespace kuma::xds
