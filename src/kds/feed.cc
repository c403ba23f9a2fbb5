#include "kds/feed.h"

#include "absl/container/flat_hash_set.h"

namespace kuma::kds {

Feed::Feed(store::Store& store, Catalog& catalog, Executor& executor) {
  state_->catalog = &catalog;
  const absl::flat_hash_set<const model::ResourceType*> types(catalog.types().begin(), catalog.types().end());
  subscription_ = store.subscribe([state = state_, types, &executor](std::span<const model::Change> changes) {
    {
      const std::lock_guard lock(state->mutex);
      for (const model::Change& change : changes) {
        if (types.contains(&change.type()) || change.type().name == "Zone") {
          state->waiting.push_back(change);
        }
      }
      if (state->waiting.empty() || std::exchange(state->posted, true)) {
        return;
      }
    }
    executor.post([state] {
      std::vector<model::Change> batch;
      {
        const std::lock_guard lock(state->mutex);
        batch = std::exchange(state->waiting, {});
        state->posted = false;
      }
      if (state->catalog != nullptr) {
        state->catalog->apply(batch);
      }
    });
  });
}

void Feed::stop() {
  subscription_.reset();
  state_->catalog = nullptr;
}

}  // namespace kuma::kds
