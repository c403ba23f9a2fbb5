#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "observe/metrics.h"
#include "store/store.h"

namespace kuma::insight {

// A store that is measured: how long its operations take (`store`, seconds), how many writes met another one
// (`store_conflicts`), and how many resources of each type there are (`resources_count`), counted as they come and go. What is
// behind it does the work. Any thread.
class MeteredStore final : public store::Store {
 public:
  MeteredStore(std::unique_ptr<store::Store> store, const Clock& clock, observe::Metrics& metrics);
  ~MeteredStore() override;

  absl::StatusOr<model::ResourcePtr> create(model::Resource resource) override;
  absl::StatusOr<model::ResourcePtr> update(model::Resource resource) override;
  absl::Status remove(const model::ResourceType& type, const model::ResourceKey& key) override;
  absl::StatusOr<model::ResourcePtr> get(const model::ResourceType& type, const model::ResourceKey& key) const override;
  store::ListResult list(const store::ListQuery& query) const override;
  [[nodiscard]] std::unique_ptr<store::Subscription> subscribe(
      std::function<void(std::span<const model::Change>)> on_changes) override;
  std::string_view kind() const override;

 private:
  enum class Operation { Create, Update, Delete, Get, List };
  template <typename Run>
  auto timed(Operation operation, const model::ResourceType& type, Run run) const;
  void note_conflict(const absl::Status& status, const model::ResourceType& type) const;
  void count(const model::Change& change);

  std::unique_ptr<store::Store> store_;
  const Clock& clock_;
  observe::Metrics& metrics_;
  mutable std::mutex mutex_;  // guards durations_
  mutable std::array<absl::flat_hash_map<const model::ResourceType*, observe::Histogram>, 5> durations_;
  std::map<std::string_view, observe::Gauge> counts_;  // by type; of the feed, which calls one at a time
  std::unique_ptr<store::Subscription> subscription_;
};

}  // namespace kuma::insight
