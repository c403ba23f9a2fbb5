#include "store/memory_store.h"

#include <mutex>
#include <utility>

#include "store/change_feed.h"
#include "store/resource_table.h"

namespace kuma::store {
namespace {

class MemoryStore final : public Store {
 public:
  MemoryStore(const model::Registry& registry, const Clock& clock)
      : table_(registry, clock), feed_(std::make_shared<ChangeFeed>(clock)) {}

  absl::StatusOr<model::ResourcePtr> create(model::Resource resource) override {
    const std::lock_guard lock(writer_mutex_);
    return commit(table_.plan_create(std::move(resource)));
  }

  absl::StatusOr<model::ResourcePtr> update(model::Resource resource) override {
    const std::lock_guard lock(writer_mutex_);
    return commit(table_.plan_update(std::move(resource)));
  }

  absl::Status remove(const model::ResourceType& type, const model::ResourceKey& key) override {
    const std::lock_guard lock(writer_mutex_);
    return commit(table_.plan_remove(type, key)).status();
  }

  absl::StatusOr<model::ResourcePtr> get(const model::ResourceType& type,
                                         const model::ResourceKey& key) const override {
    model::ResourcePtr found = table_.find(type, key);
    if (found == nullptr) {
      return not_found(type.name, key);
    }
    return found;
  }

  ListResult list(const ListQuery& query) const override { return table_.list(query); }

  std::unique_ptr<Subscription> subscribe(std::function<void(std::span<const Change>)> on_changes) override {
    const std::lock_guard lock(writer_mutex_);
    return feed_->subscribe(table_.all(), std::move(on_changes));
  }

  std::string_view kind() const override { return "memory"; }

 private:
  absl::StatusOr<model::ResourcePtr> commit(WritePlan plan) {
    if (!plan.status.ok()) {
      return plan.status;
    }
    model::ResourcePtr result = plan.changes.back().after;
    table_.apply(plan.changes);
    feed_->publish(std::move(plan.changes));
    return result;
  }

  std::mutex writer_mutex_;  // makes one writer of many: guards planning, applying and the order of the feed
  ResourceTable table_;
  std::shared_ptr<ChangeFeed> feed_;
};

}  // namespace

std::unique_ptr<Store> make_memory_store(const model::Registry& registry, const Clock& clock) {
  return std::make_unique<MemoryStore>(registry, clock);
}

}  // namespace kuma::store
