#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/executor.h"
#include "kds/catalog.h"
#include "store/store.h"

namespace kuma::kds {

// Carries the store's changes to the catalog's thread. Writers only put changes down; those that come while the catalog
// is busy are applied together.
//
// Bound: a change waits here only as long as the executor takes for one turn; only types that are offered are kept.
class Feed {
 public:
  Feed(store::Store& store, Catalog& catalog, Executor& executor);

  // Ends it; on the executor or when that has ended.
  void stop();

 private:
  struct State {
    std::mutex mutex;  // guards what follows
    std::vector<model::Change> waiting;
    bool posted = false;
    Catalog* catalog = nullptr;  // null after stop(); touched on the executor only
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::unique_ptr<store::Subscription> subscription_;
};

}  // namespace kuma::kds
