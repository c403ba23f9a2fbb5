#pragma once

#include <map>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "kds/global.h"
#include "kds/testing.h"
#include "kds/zone.h"

// A global and five zones on simulated time and network, for tests: everything that happens comes from a seed.
namespace kuma::kds::simulation {

using namespace std::chrono_literals;

// Events in order of their time.
class World {
 public:
  explicit World(uint64_t seed) : random(seed) {}

  struct Event {
    MonotonicTime at;
    uint64_t sequence;
    std::shared_ptr<const std::function<void()>> work;
    bool operator<(const Event& other) const { return std::pair(at, sequence) > std::pair(other.at, other.sequence); }
  };

  void at(std::chrono::nanoseconds delay, std::function<void()> work) {
    events_.push({clock.monotonic_now() + delay, ++sequence_, std::make_shared<const std::function<void()>>(std::move(work))});
  }
  void run_for(std::chrono::nanoseconds duration) {
    const MonotonicTime end = clock.monotonic_now() + duration;
    while (!events_.empty() && events_.top().at <= end) {
      const Event event = events_.top();
      events_.pop();
      clock.advance(event.at - clock.monotonic_now());
      (*event.work)();
      ++steps;
    }
    clock.advance(end - clock.monotonic_now());
  }
  uint64_t pick(uint64_t count) { return std::uniform_int_distribution<uint64_t>(0, count - 1)(random); }
  bool chance(double probability) { return std::uniform_real_distribution<double>(0, 1)(random) < probability; }
  std::chrono::nanoseconds between(std::chrono::milliseconds low, std::chrono::milliseconds high) {
    return low + std::chrono::milliseconds(pick(static_cast<uint64_t>((high - low).count()) + 1));
  }

  ManualClock clock;
  std::mt19937_64 random;
  uint64_t steps = 0;

 private:
  std::priority_queue<Event> events_;
  uint64_t sequence_ = 0;
};

// One thread of a process. What it has not done when the process dies is dropped then, not when its time comes.
class Thread final : public TimerExecutor {
 public:
  Thread(World& world, std::chrono::milliseconds delay_max) : world_(world), delay_max_(delay_max) {}
  ~Thread() override { die(); }

  void post(std::function<void()> work) override {
    // In order: never before what was posted earlier.
    const MonotonicTime at = std::max(last_, world_.clock.monotonic_now() + world_.between(0ms, delay_max_));
    last_ = at;
    add(at - world_.clock.monotonic_now(), std::move(work));
  }
  std::shared_ptr<void> post_after(std::chrono::nanoseconds delay, std::function<void()> work) override {
    const uint64_t id = add(delay, std::move(work));
    return std::shared_ptr<void>(nullptr, [waiting = std::weak_ptr(waiting_), id](void*) { take(waiting, id); });
  }
  // Before what the work refers to goes.
  void die() {
    const auto waiting = std::exchange(waiting_, nullptr);
  }

 private:
  using Waiting = std::map<uint64_t, std::function<void()>>;

  uint64_t add(std::chrono::nanoseconds delay, std::function<void()> work) {
    if (waiting_ == nullptr) {
      return 0;
    }
    waiting_->emplace(++last_id_, std::move(work));
    world_.at(delay, [waiting = std::weak_ptr(waiting_), id = last_id_] {
      if (const auto due = take(waiting, id)) {
        due();
      }
    });
    return last_id_;
  }
  // Empty when it was cancelled, or its process is no more.
  static std::function<void()> take(const std::weak_ptr<Waiting>& from, uint64_t id) {
    const auto waiting = from.lock();
    const auto found = waiting == nullptr ? Waiting::node_type() : waiting->extract(id);
    return found.empty() ? nullptr : found.mapped();
  }

  World& world_;
  const std::chrono::milliseconds delay_max_;
  MonotonicTime last_{};
  std::shared_ptr<Waiting> waiting_ = std::make_shared<Waiting>();  // null: the process has died
  uint64_t last_id_ = 0;
};

// A store whose disk is full at times.
class FlakyStore final : public store::Store {
 public:
  explicit FlakyStore(store::Store& store) : store_(store) {}
  bool full = false;
  absl::StatusOr<model::ResourcePtr> create(model::Resource resource) override {
    return full ? absl::ResourceExhaustedError("disk full") : store_.create(std::move(resource));
  }
  absl::StatusOr<model::ResourcePtr> update(model::Resource resource) override {
    return full ? absl::ResourceExhaustedError("disk full") : store_.update(std::move(resource));
  }
  absl::Status remove(const model::ResourceType& type, const model::ResourceKey& key) override {
    return full ? absl::ResourceExhaustedError("disk full") : store_.remove(type, key);
  }
  absl::StatusOr<model::ResourcePtr> get(const model::ResourceType& type, const model::ResourceKey& key) const override { return store_.get(type, key); }
  store::ListResult list(const store::ListQuery& query) const override { return store_.list(query); }
  std::unique_ptr<store::Subscription> subscribe(std::function<void(std::span<const store::Change>)> on_changes) override {
    return store_.subscribe(std::move(on_changes));
  }
  std::string_view kind() const override { return "flaky"; }

 private:
  store::Store& store_;
};

// What becomes of a disk while its process is away.
enum class Disk { Kept, Lost, Restored };

// A process that can be killed; what is on its disk stays, unless that is lost or an old backup takes its place.
struct Process {
  Process(World& w, const model::Registry& r, std::string n)
      : world(w), registry(r), name(std::move(n)), clock(w.clock, w.between(-100h, 100h)), disk(store::make_memory_store(r, clock)) {}
  std::unique_ptr<store::Store> copy(const store::Store* of) const {
    auto out = store::make_memory_store(registry, clock);
    for (const model::ResourceType& type : registry.types()) {
      for (const auto& resource : of == nullptr ? std::vector<model::ResourcePtr>() : of->list({.type = &type}).items) {
        (void)out->create(*resource);
      }
    }
    return out;
  }
  void back_up() { backup = copy(disk.get()); }
  void treat(Disk how) {
    if (how != Disk::Kept) {
      disk = copy(how == Disk::Restored ? backup.get() : nullptr);
    }
  }
  void start_threads() {
    alive = std::make_shared<bool>(true);
    executor = std::make_unique<Thread>(world, 0ms);
    workers = std::make_unique<Thread>(world, 20ms);
    flaky = std::make_unique<FlakyStore>(*disk);
  }

  void stop_threads() {
    executor->die();
    workers->die();
  }

  World& world;
  const model::Registry& registry;
  const std::string name;
  const testing::OffClock clock;
  std::unique_ptr<store::Store> disk;
  std::unique_ptr<store::Store> backup;  // null: none was made, which is as good as an empty one
  std::shared_ptr<bool> alive;
  std::unique_ptr<Thread> executor, workers;
  std::unique_ptr<FlakyStore> flaky;
  int starts = 0;
};

// A stream between a zone and its global. Each way keeps its order; nothing is said of the order between streams. A message may
// be delivered twice.
struct Stream {
  struct End final : Link {
    Stream* stream = nullptr;
    bool is_server = false;
    bool open = true;
    std::shared_ptr<Session> session;
    MonotonicTime arrives{};  // of the last message to this end
    void send(const google::protobuf::Message& message) override { stream->carry(*this, message.SerializeAsString()); }
    void end(absl::Status why) override { stream->close(why, 0ms); }
  };
  explicit Stream(World& w, bool may_duplicate = false) : world(w), duplicates(may_duplicate) {
    client.stream = server.stream = this;
    server.is_server = true;
  }
  End& other(const End& end) { return end.is_server ? client : server; }

  void carry(End& from, const std::string& bytes) {
    if (!from.open || cut) {
      return;
    }
    End& to = other(from);
    to.arrives = std::max(to.arrives, world.clock.monotonic_now() + world.between(1ms, 60ms));
    for (int times = duplicates && world.chance(0.05) ? 2 : 1; times > 0; --times) {
      world.at(to.arrives - world.clock.monotonic_now(), [&to, bytes] {
        if (to.open && to.session != nullptr) {
          to.session->on_message(bytes);
        }
      });
    }
  }
  // Both ends hear of it, each in its time; the server of a half-open one long after.
  void close(const absl::Status& why, std::chrono::nanoseconds server_delay) {
    cut = true;
    world.at(world.between(0ms, 30ms), [this, why] { hang_up(client, why); });
    world.at(server_delay + world.between(0ms, 30ms), [this, why] { hang_up(server, why); });
  }
  static void hang_up(End& end, const absl::Status& why) {
    if (std::exchange(end.open, false) && end.session != nullptr) {
      const auto session = std::exchange(end.session, nullptr);
      session->on_closed(why);
    }
  }

  World& world;
  const bool duplicates;
  End client, server;
  bool cut = false;
};

class Cluster {
 public:
  Cluster(uint64_t seed, const model::Registry& registry, Protocol protocol, size_t zones = 5);
  ~Cluster();

  void run_for(std::chrono::nanoseconds duration) { world.run_for(duration); }
  void start_global();
  void kill_global(Disk how);
  void start_zone(size_t index);
  void kill_zone(size_t index, Disk how);
  // Breaks a zone's connection; half-open: its global learns of it only after half a minute.
  void cut(size_t index, bool half_open);

  // Something that a user, a proxy or the world does.
  void act();
  // No more faults, and everybody is up.
  void calm();
  // What is not as it must be; empty when all is.
  std::vector<std::string> differences() const;

  struct GlobalProcess : Process {
    using Process::Process;
    std::unique_ptr<security::testing::ManualExecutor> key_executor;
    std::unique_ptr<manager::PendingSecrets> pending;
    std::unique_ptr<security::KeyPool> keys;
    std::unique_ptr<manager::ResourceManager> manager;
    std::unique_ptr<Global> global;
  };
  struct ZoneProcess : Process {
    using Process::Process;
    std::unique_ptr<Zone> zone;
    std::vector<std::unique_ptr<Stream>> streams;  // all there ever were
  };

  World world;
  const model::Registry& registry;
  const Protocol protocol;
  GlobalProcess global;
  std::vector<std::unique_ptr<ZoneProcess>> zones;
  bool duplicates = false;

 private:
  class SimulatedConnection;
  void put(Process& process, std::string_view type, model::ResourceKey key);
  void drop(Process& process, std::string_view type, model::ResourceKey key);
  model::Resource make(const Process& process, std::string_view type, model::ResourceKey key);
  void write_something(Process& process, bool is_global);
  void compare(const Process& provider, Side side, const std::string& zone, const Process& consumer, std::vector<std::string>& out) const;

  uint64_t last_id_ = 0;
};

}  // namespace kuma::kds::simulation
