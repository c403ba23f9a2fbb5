#include "insight/resyncer.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "google/protobuf/util/message_differencer.h"
#include "insight/mesh_counts.h"

namespace kuma::insight {
namespace {

using google::protobuf::util::MessageDifferencer;

// A burst of changes that begins now is likely to go on for this long: one write for it instead of two.
constexpr std::chrono::milliseconds kBurst{20};
// After a write that failed.
constexpr std::chrono::seconds kRetry{5};

double milliseconds(std::chrono::nanoseconds time) { return std::chrono::duration<double, std::milli>(time).count(); }

}  // namespace

struct Resyncer::Impl : std::enable_shared_from_this<Resyncer::Impl> {
  Impl(const model::Registry& registry_in, store::Store& store_in, const Clock& clock_in, TimerExecutor& executor_in,
       observe::Metrics* metrics, ResyncerOptions options_in)
      : store(store_in),
        clock(clock_in),
        executor(executor_in),
        options(options_in),
        mesh_type(*registry_in.find("Mesh")),
        mesh_insight_type(*registry_in.find("MeshInsight")),
        service_insight_type(*registry_in.find("ServiceInsight")) {
    if (metrics != nullptr) {
      processing_time = metrics->summary("insights_resyncer_event_time_processing",
                                         "Time in milliseconds to write the insights of a mesh.",
                                         {{"reason", "event"}, {"result", "changed"}});
      unchanged_time = metrics->summary("insights_resyncer_event_time_processing", "",
                                        {{"reason", "event"}, {"result", "no_changes"}});
      failure_time = metrics->summary("insights_resyncer_event_time_processing", "", {{"reason", "event"}, {"result", "error"}});
      waiting_time = metrics->summary("insights_resyncer_event_time_to_process",
                                      "Time in milliseconds from the first change of a mesh to when its insights are counted.");
      idle_time = metrics->summary("insights_resyncer_processor_idle_time", "Time in milliseconds without insights to write.");
    }
  }

  struct MeshState {
    MeshCounts counts;
    bool exists = false;          // the Mesh itself; resources may come before it and outlive it
    std::shared_ptr<void> timer;  // set while a write is due
    std::optional<MonotonicTime> written_at;
    MonotonicTime marked_at{};    // since when a write is due
  };

  // On a writer's thread, with the store locked.
  void on_changes(std::span<const model::Change> changes) {
    std::vector<model::Change> relevant;
    for (const model::Change& change : changes) {
      if (is_relevant(change.type())) {
        relevant.push_back(change);
      }
    }
    if (!relevant.empty()) {
      executor.post([weak = weak_from_this(), relevant = std::move(relevant)] {
        if (const auto self = weak.lock()) {
          self->apply(relevant);
        }
      });
    }
  }

  bool is_relevant(const model::ResourceType& type) const {
    return &type == &mesh_type || &type == &mesh_insight_type || &type == &service_insight_type || type.is_policy ||
           type.name == "Dataplane" || type.name == "DataplaneInsight" || type.name == "ExternalService";
  }

  void apply(const std::vector<model::Change>& changes) {
    if (stopped) {
      return;
    }
    for (const model::Change& change : changes) {
      const model::ResourceType& type = change.type();
      if (&type == &mesh_type) {
        apply_mesh(change);
      } else if (&type == &mesh_insight_type) {
        on_insight(change.meta().name, change);
      } else if (&type == &service_insight_type) {
        on_insight(change.meta().mesh, change);
      } else {
        apply_counted(change);
      }
    }
  }

  void apply_counted(const model::Change& change) {
    const std::string& name = change.meta().mesh;
    MeshState& mesh = meshes[name];
    const bool changed = mesh.counts.apply(change);
    if (!mesh.exists && mesh.counts.empty()) {
      meshes.erase(name);
    } else if (changed) {
      mark(name);
    }
  }

  void apply_mesh(const model::Change& change) {
    const std::string& name = change.meta().name;
    MeshState& mesh = meshes[name];
    mesh.exists = change.after != nullptr;
    if (mesh.exists) {
      mark(name);
      return;
    }
    mesh.timer.reset();
    mesh.written_at.reset();
    if (mesh.counts.empty()) {
      meshes.erase(name);
    }
  }

  // An insight that somebody else removed comes back.
  void on_insight(const std::string& mesh, const model::Change& change) {
    if (change.after == nullptr) {
      mark(mesh);
    }
  }

  void mark(const std::string& name) {
    const auto at = meshes.find(name);
    if (at == meshes.end() || !at->second.exists || at->second.timer != nullptr) {
      return;
    }
    MeshState& mesh = at->second;
    std::chrono::nanoseconds delay = std::min<std::chrono::nanoseconds>(kBurst, options.interval_min);
    if (mesh.written_at) {
      delay = std::max(delay, *mesh.written_at + options.interval_min - clock.monotonic_now());
    }
    schedule(name, mesh, delay);
  }

  void schedule(const std::string& name, MeshState& mesh, std::chrono::nanoseconds delay) {
    mesh.marked_at = clock.monotonic_now();
    mesh.timer = executor.post_after(delay, [weak = weak_from_this(), name] {
      if (const auto self = weak.lock()) {
        self->flush(name);
      }
    });
  }

  void flush(const std::string& name) {
    const auto at = meshes.find(name);
    if (stopped || at == meshes.end() || !at->second.exists) {
      return;
    }
    MeshState& mesh = at->second;
    const std::shared_ptr<void> done = std::move(mesh.timer);
    const MonotonicTime start = clock.monotonic_now();
    mesh.written_at = start;
    waiting_time.observe(milliseconds(start - mesh.marked_at));
    idle_time.observe(milliseconds(start - idle_since));
    bool changed = false;
    absl::Status status = write(mesh_insight_type, {"", name}, name,
                                std::make_unique<mesh::v1alpha1::MeshInsight>(mesh.counts.mesh_insight()), changed);
    if (status.ok()) {
      status = write(service_insight_type, {name, fmt::format("all-services-{}", name)}, name,
                     std::make_unique<mesh::v1alpha1::ServiceInsight>(mesh.counts.service_insight()), changed);
    }
    idle_since = clock.monotonic_now();
    (!status.ok() ? failure_time : changed ? processing_time : unchanged_time).observe(milliseconds(idle_since - start));
    if (!status.ok()) {
      on_failure(name, mesh, status);
    }
  }

  void on_failure(const std::string& name, MeshState& mesh, const absl::Status& status) {
    if (absl::IsNotFound(status)) {
      return;  // the mesh is gone; the feed will say so
    }
    // Somebody else wrote it meanwhile: look again. Anything else is the store's trouble: wait.
    const bool conflict = absl::IsAborted(status) || absl::IsAlreadyExists(status);
    if (!conflict) {
      make_logger("insight")->error("could not write the insights of mesh {}, will retry: {}", name, status.message());
    }
    schedule(name, mesh,
             conflict ? options.interval_min : std::max<std::chrono::nanoseconds>(kRetry, options.interval_min));
  }

  absl::Status write(const model::ResourceType& type, const model::ResourceKey& key, const std::string& mesh,
                     std::unique_ptr<google::protobuf::Message> spec, bool& changed) {
    const auto stored = store.get(type, key);
    if (!stored.ok() && !absl::IsNotFound(stored.status())) {
      return stored.status();
    }
    if (stored.ok() ? MessageDifferencer::Equals(*(*stored)->message, *spec) : spec->ByteSizeLong() == 0) {
      return absl::OkStatus();
    }
    changed = true;
    if (!stored.ok()) {
      model::Resource resource = model::make_resource(type, key, std::move(spec));
      resource.owner = {std::string(mesh_type.name), {"", mesh}};
      return store.create(std::move(resource)).status();
    }
    model::Resource resource = **stored;
    resource.message = std::move(spec);
    return store.update(std::move(resource)).status();
  }

  store::Store& store;
  const Clock& clock;
  TimerExecutor& executor;
  const ResyncerOptions options;
  const model::ResourceType& mesh_type;
  const model::ResourceType& mesh_insight_type;
  const model::ResourceType& service_insight_type;
  observe::Summary processing_time, unchanged_time, failure_time, waiting_time, idle_time;

  // The executor's own.
  std::map<std::string, MeshState> meshes;
  MonotonicTime idle_since = clock.monotonic_now();
  bool stopped = false;

  std::unique_ptr<store::Subscription> subscription;
};

Resyncer::Resyncer(const model::Registry& registry, store::Store& store, const Clock& clock, TimerExecutor& executor,
                   observe::Metrics* metrics, ResyncerOptions options)
    : impl_(std::make_shared<Impl>(registry, store, clock, executor, metrics, options)) {}

Resyncer::~Resyncer() { stop(); }

void Resyncer::start() {
  impl_->subscription = impl_->store.subscribe(
      [impl = impl_.get()](std::span<const model::Change> changes) { impl->on_changes(changes); });
}

void Resyncer::stop() {
  impl_->subscription.reset();
  impl_->stopped = true;
  impl_->meshes.clear();
}

}  // namespace kuma::insight
