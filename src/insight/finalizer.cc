#include "insight/finalizer.h"

#include <map>

#include "base/log.h"
#include "base/status.h"
#include "insight/periodic.h"
#include "insight/subscriptions.h"
#include "mesh/v1alpha1/zone_ingress_insight.pb.h"
#include "mesh/v1alpha1/zoneegressinsight.pb.h"
#include "system/v1alpha1/zone_insight.pb.h"

namespace kuma::insight {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;

// The generations of open subscriptions as they were a period ago, by insight and id.
using Generations = std::map<std::pair<const model::ResourceType*, std::string>, uint32_t>;

std::string subscription_key(const model::ResourceKey& key, const std::string& id) {
  return fmt::format("{}\n{}\n{}", key.mesh, key.name, id);
}

// Notes the generations of a resource's open subscriptions in `now`; returns the insight with those ended that are as
// they were before, or null when all are alive.
template <typename Insight>
std::unique_ptr<google::protobuf::Message> end_idle(const model::Resource& resource, const Generations& before,
                                                    Generations& now, WallTime time) {
  std::unique_ptr<Insight> out;
  const Insight& insight = resource.as<Insight>();
  for (int i = 0; i < insight.subscriptions_size(); ++i) {
    const auto& subscription = insight.subscriptions(i);
    if (!is_open(subscription)) {
      continue;
    }
    const auto key = std::pair(resource.type, subscription_key(resource.meta.key(), subscription.id()));
    const auto known = before.find(key);
    if (known == before.end() || known->second != subscription.generation()) {
      now[key] = subscription.generation();
      continue;
    }
    if (out == nullptr) {
      out = std::make_unique<Insight>(insight);
    }
    *out->mutable_subscriptions(i)->mutable_disconnect_time() = to_timestamp(time);
  }
  return out;
}

std::unique_ptr<google::protobuf::Message> end_idle_of_type(const model::Resource& resource, const Generations& before,
                                                            Generations& now, WallTime time) {
  const std::string_view type = resource.type->name;
  if (type == "DataplaneInsight") {
    return end_idle<pb::DataplaneInsight>(resource, before, now, time);
  }
  if (type == "ZoneIngressInsight") {
    return end_idle<pb::ZoneIngressInsight>(resource, before, now, time);
  }
  if (type == "ZoneEgressInsight") {
    return end_idle<pb::ZoneEgressInsight>(resource, before, now, time);
  }
  if (type == "ZoneInsight") {
    return end_idle<system::v1alpha1::ZoneInsight>(resource, before, now, time);
  }
  return nullptr;
}

}  // namespace

struct Finalizer::Impl {
  Impl(const model::Registry& registry, store::Store& store_in, const Clock& clock_in, TimerExecutor& executor,
       observe::Metrics* metrics, const FinalizerOptions& options)
      : store(store_in), clock(clock_in) {
    for (const std::string& name : options.types) {
      if (const model::ResourceType* type = registry.find(name)) {
        types.push_back(type);
      }
    }
    if (metrics != nullptr) {
      time = metrics->summary("component_sub_finalizer", "Time in milliseconds to look after idle subscriptions.");
    }
    periodic = std::make_shared<Periodic>(executor, options.idle_timeout, [this] { tick(); });
  }

  void tick() {
    const MonotonicTime start = clock.monotonic_now();
    Generations now;
    for (const model::ResourceType* type : types) {
      for (const model::ResourcePtr& resource : store.list({.type = type}).items) {
        if (auto ended = end_idle_of_type(*resource, generations, now, clock.wall_now())) {
          write(*resource, std::move(ended));
        }
      }
    }
    generations = std::move(now);
    time.observe(std::chrono::duration<double, std::milli>(clock.monotonic_now() - start).count());
  }

  void write(const model::Resource& old, std::unique_ptr<google::protobuf::Message> spec) {
    model::Resource resource = old;
    resource.message = std::move(spec);
    const absl::Status status = store.update(std::move(resource)).status();
    // Somebody wrote it meanwhile, so it is alive; or it is gone.
    if (!status.ok() && !absl::IsAborted(status) && !absl::IsNotFound(status)) {
      make_logger("insight")->error("could not end an idle subscription of {} {}: {}", old.type->name, old.meta.name,
                                    status.message());
    }
  }

  store::Store& store;
  const Clock& clock;
  std::vector<const model::ResourceType*> types;
  observe::Summary time;
  Generations generations;
  std::shared_ptr<Periodic> periodic;
};

Finalizer::Finalizer(const model::Registry& registry, store::Store& store, const Clock& clock, TimerExecutor& executor,
                     observe::Metrics* metrics, FinalizerOptions options)
    : impl_(std::make_shared<Impl>(registry, store, clock, executor, metrics, options)) {}

Finalizer::~Finalizer() { stop(); }

void Finalizer::start() { impl_->periodic->start(); }

void Finalizer::stop() { impl_->periodic.reset(); }

}  // namespace kuma::insight
