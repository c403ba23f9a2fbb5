#pragma once

#include <chrono>
#include <compare>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "model/resource.h"
#include "xds/gen/generator.h"
#include "xds/server/propagation.h"

namespace kuma::xds {

// Names a proxy. In order of type, mesh, name: the dataplanes of a mesh stand together.
struct ProxyKey {
  ProxyType type = ProxyType::Dataplane;
  model::ResourceKey key;
  auto operator<=>(const ProxyKey&) const = default;
};

// Decides which proxy gets its configuration made, and when.
//
// A proxy is marked when a change concerns it; marks merge. take_next() hands out the proxy that has waited longest; it is
// with at most one worker until done(). After sent(), it waits until its streams have acknowledged what they were sent:
// a proxy that is slow, or doesn't read at all, costs one generation when it comes around, however much changes meanwhile.
// Whoever doesn't acknowledge within ack_wait_max is taken up all the same (some clients never do for some types).
//
// Thread: one. No I/O, no clock of its own.
class PushScheduler {
 public:
  struct Limits {
    std::chrono::nanoseconds ack_wait_max = std::chrono::seconds(5);
  };
  struct Work {
    ProxyKey proxy;
    std::vector<PropagationPtr> propagations;  // of the changes that it is about
    bool only_resync = false;                  // nothing is known to have changed
  };
  enum class Reason { Change, Resync };

  explicit PushScheduler(Limits limits) : limits_(limits) {}

  void mark(const ProxyKey& proxy, Reason reason, const PropagationPtr& propagation = nullptr);
  std::optional<Work> take_next(MonotonicTime now);
  void done(const ProxyKey& proxy);
  void sent(const ProxyKey& proxy, MonotonicTime now);
  void acknowledged(const ProxyKey& proxy);
  void forget(const ProxyKey& proxy);

  // There is something to take at once.
  bool has_ready() const { return !ready_.empty(); }
  // When a marked proxy that does not acknowledge is taken up, if there is one.
  std::optional<MonotonicTime> wake_at() const;
  size_t marked_count() const { return ready_.size() + waiting_.size(); }

 private:
  struct Entry {
    uint64_t mark = 0;  // 0: not marked; else the order of marks
    bool busy = false;
    std::optional<MonotonicTime> waits_until;
    std::vector<PropagationPtr> propagations;
    bool only_resync = true;
  };
  using Entries = std::map<ProxyKey, Entry>;

  // Puts a marked proxy where take_next() and wake_at() look for it.
  void place(Entries::iterator entry);
  void unplace(Entries::iterator entry);
  void drop_if_unused(Entries::iterator entry);

  const Limits limits_;
  Entries entries_;
  uint64_t last_mark_ = 0;
  std::map<uint64_t, Entries::iterator> ready_;                              // by mark
  std::map<std::pair<MonotonicTime, uint64_t>, Entries::iterator> waiting_;  // by end of the wait, mark
};

}  // namespace kuma::xds
