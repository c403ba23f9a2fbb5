#include "insight/dataplane_gc.h"

#include "base/log.h"
#include "base/status.h"
#include "insight/periodic.h"
#include "insight/subscriptions.h"

namespace kuma::insight {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;

bool is_gone_since(const pb::DataplaneInsight& insight, WallTime time) {
  if (insight.subscriptions_size() == 0 || is_online(insight.subscriptions())) {
    return false;
  }
  const pb::DiscoverySubscription& last = *insight.subscriptions().rbegin();
  return last.has_disconnect_time() && to_wall_time(last.disconnect_time()) < time;
}

}  // namespace

struct DataplaneGc::Impl {
  Impl(const model::Registry& registry, const store::Store& store_in, const Clock& clock_in, TimerExecutor& executor,
       observe::Metrics* metrics, DataplaneGcOptions options, Remove remove_in)
      : store(store_in),
        clock(clock_in),
        type(*registry.find("DataplaneInsight")),
        age(options.age),
        remove(std::move(remove_in)) {
    if (metrics != nullptr) {
      time = metrics->summary("component_dp_gc", "Time in milliseconds to look for dataplanes that are gone.");
    }
    periodic = std::make_shared<Periodic>(executor, options.period, [this] { tick(); });
  }

  void tick() {
    const MonotonicTime start = clock.monotonic_now();
    const WallTime limit = clock.wall_now() - age;
    const auto gone = store.list({.type = &type, .filter = [limit](const model::Resource& resource) {
                                    return is_gone_since(resource.as<pb::DataplaneInsight>(), limit);
                                  }});
    for (const model::ResourcePtr& insight : gone.items) {
      const absl::Status status = remove(insight->meta.key());
      if (status.ok()) {
        make_logger("insight")->info("removed dataplane {} of mesh {}: offline for longer than the cleanup age",
                                     insight->meta.name, insight->meta.mesh);
      } else if (!absl::IsNotFound(status)) {
        make_logger("insight")->error("could not remove dataplane {} of mesh {}: {}", insight->meta.name,
                                      insight->meta.mesh, status.message());
      }
    }
    time.observe(std::chrono::duration<double, std::milli>(clock.monotonic_now() - start).count());
  }

  const store::Store& store;
  const Clock& clock;
  const model::ResourceType& type;
  const std::chrono::nanoseconds age;
  const Remove remove;
  observe::Summary time;
  std::shared_ptr<Periodic> periodic;
};

DataplaneGc::DataplaneGc(const model::Registry& registry, const store::Store& store, const Clock& clock,
                         TimerExecutor& executor, observe::Metrics* metrics, DataplaneGcOptions options, Remove remove)
    : impl_(std::make_shared<Impl>(registry, store, clock, executor, metrics, options, std::move(remove))) {}

DataplaneGc::~DataplaneGc() { stop(); }

void DataplaneGc::start() { impl_->periodic->start(); }

void DataplaneGc::stop() { impl_->periodic.reset(); }

}  // namespace kuma::insight
