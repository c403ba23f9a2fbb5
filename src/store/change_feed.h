#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/clock.h"
#include "store/store.h"

namespace kuma::store {

// Numbers committed changes and hands them to the subscribers, in order.
//
// Thread: publish() and subscribe() belong to the store's writer; subscriptions may be dropped from any thread but not
// from within a subscriber's function. Outlives the store as long as a subscription does.
class ChangeFeed : public std::enable_shared_from_this<ChangeFeed> {
 public:
  using OnChanges = std::function<void(std::span<const Change>)>;

  explicit ChangeFeed(const Clock& clock) : clock_(clock) {}

  // Gives the changes their numbers and time, then calls every subscriber.
  void publish(std::vector<Change> changes);

  // Calls `on_changes` with `existing` as creates that carry the number of the last commit, then with all that follows.
  std::unique_ptr<Subscription> subscribe(const std::vector<model::ResourcePtr>& existing, OnChanges on_changes);

 private:
  class Handle;
  void drop(uint64_t id);

  const Clock& clock_;
  uint64_t sequence_ = 0;  // the writer's own

  std::mutex subscribers_mutex_;  // guards what follows; held while subscribers run, so that dropping waits for them
  uint64_t last_id_ = 0;
  std::vector<std::pair<uint64_t, OnChanges>> subscribers_;
};

}  // namespace kuma::store
