#pragma once

#include "model/resource.h"

namespace kuma::model {

// One committed change of the store. `before` is null for a create, `after` for a delete.
struct Change {
  ResourcePtr before;
  ResourcePtr after;
  uint64_t sequence = 0;         // 1, 2, 3, … in commit order
  MonotonicTime committed_at{};  // for the time a change takes to reach proxies

  const ResourceType& type() const { return *(after ? after : before)->type; }
  const ResourceMeta& meta() const { return (after ? after : before)->meta; }
};

}  // namespace kuma::model
