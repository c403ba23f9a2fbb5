#include "store/change_feed.h"

#include <utility>

namespace kuma::store {

class ChangeFeed::Handle final : public Subscription {
 public:
  Handle(std::shared_ptr<ChangeFeed> feed, uint64_t id) : feed_(std::move(feed)), id_(id) {}
  ~Handle() override { feed_->drop(id_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

 private:
  std::shared_ptr<ChangeFeed> feed_;
  uint64_t id_;
};

void ChangeFeed::publish(std::vector<Change> changes) {
  if (changes.empty()) {
    return;
  }
  const MonotonicTime now = clock_.monotonic_now();
  for (Change& change : changes) {
    change.sequence = ++sequence_;
    change.committed_at = now;
  }
  const std::lock_guard lock(subscribers_mutex_);
  for (const auto& [id, on_changes] : subscribers_) {
    on_changes(changes);
  }
}

std::unique_ptr<Subscription> ChangeFeed::subscribe(const std::vector<model::ResourcePtr>& existing,
                                                    OnChanges on_changes) {
  const MonotonicTime now = clock_.monotonic_now();
  std::vector<Change> creates;
  creates.reserve(existing.size());
  for (const model::ResourcePtr& resource : existing) {
    creates.push_back({.before = nullptr, .after = resource, .sequence = sequence_, .committed_at = now});
  }
  const std::lock_guard lock(subscribers_mutex_);
  if (!creates.empty()) {
    on_changes(creates);
  }
  subscribers_.emplace_back(++last_id_, std::move(on_changes));
  return std::make_unique<Handle>(shared_from_this(), last_id_);
}

void ChangeFeed::drop(uint64_t id) {
  const std::lock_guard lock(subscribers_mutex_);
  std::erase_if(subscribers_, [id](const auto& subscriber) { return subscriber.first == id; });
}

}  // namespace kuma::store
