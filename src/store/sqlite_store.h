#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "store/store.h"

namespace kuma::store {

struct SqliteOptions {
  std::string instance{};       // named to whoever finds the file in use; empty: only process and time are
  uint64_t file_bytes_max = 0;  // a write beyond it is refused as on a full disk; 0: only the disk limits
};

// A store in one SQLite file (WAL), owned by one process at a time: all resources are kept in memory as well, so reads
// never touch the file, and each write is committed there before anybody sees it. Writers that come while a commit is
// under way share the next one.
//
// Fails with FailedPrecondition when another process uses the file; the message names the file, the process and what to
// do. A file of a newer or an unknown format is refused, not rewritten. `registry` and `clock` outlive the store.
absl::StatusOr<std::unique_ptr<Store>> open_sqlite_store(const model::Registry& registry, const Clock& clock,
                                                         const std::filesystem::path& file, SqliteOptions options = {});

}  // namespace kuma::store
