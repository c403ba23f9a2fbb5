#pragma once

#include <memory>

#include "store/store.h"

namespace kuma::store {

// A store that keeps everything in memory and nothing else.
std::unique_ptr<Store> make_memory_store(const model::Registry& registry, const Clock& clock);

}  // namespace kuma::store
