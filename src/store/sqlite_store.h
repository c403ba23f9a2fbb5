#pragma once

#include <filesystem>
#include <memory>

#include "store/store.h"

namespace kuma::store {

// A store in one SQLite file (WAL), owned by one process at a time: all resources are kept in memory as well, so reads
// never touch the file, and each write is a transaction of its own there before anybody sees it.
//
// Fails with FailedPrecondition when another process uses the file; the message names the file, the process and what to
// do. A file of a newer or an unknown format is refused, not rewritten.
absl::StatusOr<std::unique_ptr<Store>> open_sqlite_store(const model::Registry& registry, const Clock& clock,
                                                         const std::filesystem::path& file);

}  // namespace kuma::store
