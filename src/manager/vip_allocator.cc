#include "manager/vip_allocator.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>

#include "base/log.h"
#include "base/status.h"
#include "manager/vip_demand.h"
#include "system/v1alpha1/config.pb.h"

namespace kuma::manager {
namespace {

using mesh::VipEntry;
using mesh::VipKey;
using mesh::VipTable;

constexpr std::chrono::seconds kRetry{5};   // after a write that failed
constexpr std::chrono::seconds kHeld{60};   // a freed address: twice as long as names are cached
constexpr size_t kHeldMax = 10'000;         // of one mesh
constexpr int kConflictsMax = 10;

struct HeldAddress {
  VipEntry entry;
  MonotonicTime until;
};
using HeldAddresses = std::map<VipKey, HeldAddress>;

// One allocation: what it is made from, and what came out.
struct Job {
  VipSources sources;
  VipTable held;
  // The result:
  absl::Status status;
  uint64_t version = 0;  // of the Config that was written; 0: nothing was
  VipTable freed;
  std::vector<std::string> problems;
};

}  // namespace

struct VipAllocator::Impl : std::enable_shared_from_this<VipAllocator::Impl> {
  Impl(const Parts& parts_in, VipAllocatorOptions options_in)
      : parts(parts_in), options(std::move(options_in)), config_type(*parts.registry.find("Config")) {}

  struct MeshState {
    bool exists = false;
    std::map<std::string, std::map<std::string, model::ResourcePtr>, std::less<>> resources;  // by type, then name
    std::shared_ptr<void> timer;  // set while an allocation is due
    bool is_running = false;      // one is under way
    bool is_dirty = false;        // … and another is wanted after it
    uint64_t written_version = 0; // of the Config, by this process
    uint64_t seen_version = 0;    // … while an allocation was under way, by anybody
    HeldAddresses held;
  };

  // On a writer's thread, with the store locked.
  void on_changes(std::span<const model::Change> changes) {
    std::vector<model::Change> relevant;
    for (const model::Change& change : changes) {
      const std::string_view type = change.type().name;
      if (type == "Mesh" || (type == "Config" && mesh::mesh_of_vip_config(change.meta().name)) ||
          concerns_vips(change.before.get(), change.after.get())) {
        relevant.push_back(change);
      }
    }
    if (!relevant.empty()) {
      parts.executor.post([weak = weak_from_this(), relevant = std::move(relevant)] {
        if (const auto self = weak.lock(); self != nullptr && !self->stopped) {
          for (const model::Change& change : relevant) {
            self->apply(change);
          }
        }
      });
    }
  }

  void apply(const model::Change& change) {
    const std::string_view type = change.type().name;
    const model::ResourceMeta& meta = change.meta();
    if (type == "Mesh") {
      apply_mesh(meta.name, change.after != nullptr);
    } else if (type == "Config") {
      apply_config(std::string(*mesh::mesh_of_vip_config(meta.name)), change);
    } else if (type == "ZoneIngress") {
      put(zone_ingresses, meta.name, change.after);
      mark_all();
    } else if (type == "MeshGateway") {
      put(gateways, meta.key(), change.after);
      mark_all();  // a gateway may serve the other meshes
    } else {
      MeshState& mesh = meshes[meta.mesh];
      put(mesh.resources[std::string(type)], meta.name, change.after);
      mark(meta.mesh);
      forget_if_gone(meta.mesh);
    }
  }

  template <typename Key>
  static void put(std::map<Key, model::ResourcePtr>& all, const Key& key, const model::ResourcePtr& after) {
    if (after == nullptr) {
      all.erase(key);
    } else {
      all[key] = after;
    }
  }

  // Dataplanes may come before their mesh and outlive it.
  void apply_mesh(const std::string& name, bool exists) {
    MeshState& mesh = meshes[name];
    if (exists == mesh.exists) {
      return;
    }
    mesh.exists = exists;
    if (exists) {
      mark(name);
      return;
    }
    mesh.timer.reset();
    mesh.held.clear();
    mesh.written_version = 0;
    forget_if_gone(name);
    const std::lock_guard lock(problems_mutex);
    problems.erase(name);
  }

  void forget_if_gone(const std::string& name) {
    const auto at = meshes.find(name);
    if (!at->second.exists && !at->second.is_running &&
        std::ranges::all_of(at->second.resources, [](const auto& one) { return one.second.empty(); })) {
      meshes.erase(at);
    }
  }

  // Somebody else's write is looked at: two control planes, or a user who removed it.
  void apply_config(const std::string& name, const model::Change& change) {
    auto at = meshes.find(name);
    if (at == meshes.end()) {
      return;
    }
    if (change.after == nullptr) {
      mark(name);
    } else if (at->second.is_running) {
      at->second.seen_version = change.after->meta.version;
    } else if (change.after->meta.version != at->second.written_version) {
      mark(name);
    }
  }

  void mark_all() {
    for (const auto& [name, mesh] : meshes) {
      mark(name);
    }
  }

  void mark(const std::string& name) {
    MeshState& mesh = meshes[name];
    if (mesh.is_running) {
      mesh.is_dirty = true;
    } else if (mesh.exists && mesh.timer == nullptr) {
      schedule(name, mesh, options.quiet);
    }
  }

  void schedule(const std::string& name, MeshState& mesh, std::chrono::nanoseconds delay) {
    mesh.timer = parts.executor.post_after(delay, [weak = weak_from_this(), name] {
      if (const auto self = weak.lock()) {
        self->begin(name);
      }
    });
  }

  void begin(const std::string& name) {
    const auto at = meshes.find(name);
    if (stopped || at == meshes.end() || !at->second.exists) {
      return;
    }
    MeshState& mesh = at->second;
    const std::shared_ptr<void> done = std::move(mesh.timer);
    mesh.is_running = true;
    mesh.seen_version = 0;
    auto job = std::make_shared<Job>();
    job->sources = sources_of(name, mesh);
    const MonotonicTime now = parts.clock.monotonic_now();
    std::erase_if(mesh.held, [&](const auto& one) { return one.second.until <= now; });
    for (const auto& [key, held] : mesh.held) {
      job->held.emplace(key, held.entry);
    }
    parts.workers.post([self = shared_from_this(), job] {
      if (!self->stopped) {
        self->run(*job);
        self->parts.executor.post([self, job] { self->finish(*job); });
      }
    });
  }

  VipSources sources_of(const std::string& name, const MeshState& mesh) const {
    VipSources sources{.mesh = name,
                       .zone = options.zone,
                       .domain = options.domain,
                       .service_vips = options.service_vips,
                       .dataplanes = list_of(mesh, "Dataplane"),
                       .zone_ingresses = {},
                       .external_services = list_of(mesh, "ExternalService"),
                       .virtual_outbounds = list_of(mesh, "VirtualOutbound"),
                       .gateways = {}};
    for (const auto& [key, ingress] : zone_ingresses) {
      sources.zone_ingresses.push_back(ingress);
    }
    for (const auto& [key, gateway] : gateways) {
      sources.gateways.push_back(gateway);
    }
    return sources;
  }

  static mesh::ResourceList list_of(const MeshState& mesh, std::string_view type) {
    mesh::ResourceList list;
    if (auto found = mesh.resources.find(type); found != mesh.resources.end()) {
      for (const auto& [name, resource] : found->second) {
        list.push_back(resource);
      }
    }
    return list;
  }

  // On a worker, beside everything else.
  void run(Job& job) const {
    const VipDemand demand = build_vip_demand(job.sources);
    job.status = absl::AbortedError("other writers were always faster");
    for (int i = 0; i < kConflictsMax && (absl::IsAborted(job.status) || absl::IsAlreadyExists(job.status)); ++i) {
      job.problems = demand.problems;
      job.status = allocate(demand, job);
    }
  }

  absl::Status allocate(const VipDemand& demand, Job& job) const {
    const model::ResourceKey key{"", mesh::vip_config_name(job.sources.mesh)};
    const auto stored = parts.store.get(config_type, key);
    if (!stored.ok() && !absl::IsNotFound(stored.status())) {
      return stored.status();
    }
    VipTable previous;
    if (stored.ok()) {
      auto read = mesh::parse_vip_table((*stored)->as<system::v1alpha1::Config>().config());
      if (read.ok()) {
        previous = *std::move(read);
      } else {
        job.problems.push_back(fmt::format("the stored table could not be read, names get new addresses: {}", message_of(read.status())));
      }
    }
    VipTable known = previous;
    known.insert(job.held.begin(), job.held.end());
    mesh::VipAllocation allocation =
        mesh::allocate_vips(demand.table, known, options.range, avoided(demand, job.held, job.problems));
    std::ranges::move(allocation.problems, std::back_inserter(job.problems));
    job.freed.clear();
    for (const auto& [name, entry] : previous) {
      if (auto found = allocation.table.find(name);
          found == allocation.table.end() || found->second.address != entry.address) {
        job.freed.emplace(name, entry);
      }
    }
    const bool is_same = stored.ok() ? allocation.table == previous && !is_unreadable(previous, **stored) : allocation.table.empty();
    return is_same ? absl::OkStatus() : write(key, stored, allocation.table, job);
  }

  // What can't be read is written anew, also when nothing is to be in it.
  static bool is_unreadable(const VipTable& previous, const model::Resource& stored) {
    return previous.empty() && !mesh::parse_vip_table(stored.as<system::v1alpha1::Config>().config()).ok();
  }

  absl::flat_hash_set<std::string> avoided(const VipDemand& demand, const VipTable& held, std::vector<std::string>& problems_out) const {
    absl::flat_hash_set<std::string> addresses;
    const std::string* example = nullptr;
    for (const std::string& used : demand.used_addresses) {
      if (options.range.find(used)) {
        addresses.insert(used);
        example = example == nullptr || used < *example ? &used : example;
      }
    }
    if (example != nullptr) {
      problems_out.push_back(fmt::format(
          "the range of VIPs, {} (KUMA_DNS_SERVER_CIDR), has addresses of {} dataplane(s) in it, such as {}: no name gets them, but "
          "names that were given one earlier hide the dataplane from transparent proxies; choose a range that nothing else is in",
          options.range.text(), addresses.size(), *example));
    }
    for (const auto& [key, entry] : held) {
      addresses.insert(entry.address);
    }
    return addresses;
  }

  absl::Status write(const model::ResourceKey& key, const absl::StatusOr<model::ResourcePtr>& stored, const VipTable& table,
                     Job& job) const {
    auto spec = std::make_unique<system::v1alpha1::Config>();
    spec->set_config(mesh::print_vip_table(table, options.form));
    absl::StatusOr<model::ResourcePtr> written;
    if (stored.ok()) {
      model::Resource resource = **stored;
      resource.message = std::move(spec);
      written = parts.store.update(std::move(resource));
    } else {
      model::Resource resource = model::make_resource(config_type, key, std::move(spec));
      resource.owner = {"Mesh", {"", job.sources.mesh}};
      written = parts.store.create(std::move(resource));
    }
    job.version = written.ok() ? (*written)->meta.version : 0;
    return written.status();
  }

  void finish(Job& job) {
    const std::string& name = job.sources.mesh;
    const auto at = meshes.find(name);
    if (stopped || at == meshes.end()) {
      return;
    }
    MeshState& mesh = at->second;
    mesh.is_running = false;
    const bool is_dirty = std::exchange(mesh.is_dirty, false) || (mesh.seen_version != 0 && mesh.seen_version != job.version);
    if (!mesh.exists) {
      forget_if_gone(name);
      return;
    }
    if (!job.status.ok() && !absl::IsNotFound(job.status)) {
      log->error("could not write the VIPs of mesh {}, will try again: {}", name, message_of(job.status));
      schedule(name, mesh, kRetry);
      return;
    }
    if (job.status.ok()) {  // else the mesh was gone when it was written, and may have come back
      hold(mesh, job);
      mesh.written_version = job.version != 0 ? job.version : mesh.written_version;
      tell(name, std::move(job.problems));
    }
    if (is_dirty || !job.status.ok()) {
      schedule(name, mesh, options.quiet);
    }
  }

  void hold(MeshState& mesh, Job& job) {
    const MonotonicTime until = parts.clock.monotonic_now() + kHeld;
    for (auto& [key, entry] : job.freed) {
      if (mesh.held.size() < kHeldMax) {
        mesh.held.insert_or_assign(key, HeldAddress{std::move(entry), until});
      }
    }
  }

  // Each problem is logged when it comes up.
  void tell(const std::string& name, std::vector<std::string> now) {
    const std::lock_guard lock(problems_mutex);
    std::vector<std::string>& known = problems[name];
    for (const std::string& problem : now) {
      if (std::ranges::find(known, problem) == known.end()) {
        log->warn("names of mesh {}: {}", name, problem);
      }
    }
    known = std::move(now);
  }

  const Parts parts;
  const VipAllocatorOptions options;
  const model::ResourceType& config_type;
  const std::shared_ptr<spdlog::logger> log = make_logger("vips");
  std::atomic<bool> stopped = false;

  // The executor's own.
  std::map<std::string, MeshState> meshes;
  std::map<std::string, model::ResourcePtr> zone_ingresses;
  std::map<model::ResourceKey, model::ResourcePtr> gateways;

  mutable std::mutex problems_mutex;  // guards problems
  std::map<std::string, std::vector<std::string>> problems;

  std::unique_ptr<store::Subscription> subscription;
};

VipAllocator::VipAllocator(const Parts& parts, VipAllocatorOptions options)
    : impl_(std::make_shared<Impl>(parts, std::move(options))) {}

VipAllocator::~VipAllocator() { stop(); }

void VipAllocator::start() {
  impl_->subscription = impl_->parts.store.subscribe(
      [impl = impl_.get()](std::span<const model::Change> changes) { impl->on_changes(changes); });
}

void VipAllocator::stop() {
  impl_->stopped = true;
  impl_->subscription.reset();
}

std::vector<std::string> VipAllocator::problems(const std::string& mesh) const {
  const std::lock_guard lock(impl_->problems_mutex);
  auto found = impl_->problems.find(mesh);
  return found == impl_->problems.end() ? std::vector<std::string>() : found->second;
}

}  // namespace kuma::manager
