#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/change.h"
#include "model/resource_type.h"

struct sqlite3;
struct sqlite3_stmt;

namespace kuma::store {

// The SQLite file itself: one table of resources, written in transactions and read once, at the start.
//
//   resources(type, mesh, name, version, creation_time, modification_time, owner_type, owner_mesh, owner_name, spec)
//
// Times are nanoseconds since 1970, the spec is the JSON that clients see, an absent owner is three empty texts. Rows
// of types that the registry does not have are left alone, and go only with an owner that is removed.
//
// Thread: used by one thread at a time.
class SqliteFile {
 public:
  static absl::StatusOr<std::unique_ptr<SqliteFile>> open(const std::filesystem::path& file, uint64_t file_bytes_max);
  ~SqliteFile();
  SqliteFile(const SqliteFile&) = delete;
  SqliteFile& operator=(const SqliteFile&) = delete;

  // Hands over every resource of a known type. A row that cannot be read is DataLoss and names it.
  absl::Status load(const model::Registry& registry, const std::function<void(model::ResourcePtr)>& take);

  // All changes in one transaction; after an error none of them is in the file. `sync`: on the disk when this returns,
  // else in the hands of the operating system (enough for a killed process, not for a power failure).
  absl::Status commit(const std::vector<model::Change>& changes, bool sync);

 private:
  struct StatementDeleter {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, StatementDeleter>;

  SqliteFile(std::filesystem::path file, sqlite3* db) : file_(std::move(file)), db_(db) {}

  absl::Status prepare_file(uint64_t file_bytes_max);
  absl::Status check_format();
  absl::Status create_format();
  absl::Status run(const char* sql);
  absl::StatusOr<int64_t> read_number(const char* sql);
  absl::StatusOr<Statement> prepare(const char* sql);
  absl::StatusOr<model::ResourcePtr> read_row(sqlite3_stmt* row, const model::ResourceType& type) const;

  absl::Status set_sync(bool sync);
  absl::Status write_all(const std::vector<model::Change>& changes);
  absl::Status write(const model::Change& change);
  absl::Status put(const model::Resource& resource);
  absl::Status erase(const model::Resource& resource);
  absl::Status step(const Statement& statement);
  absl::Status error(const char* doing) const;

  std::filesystem::path file_;
  sqlite3* db_;
  bool syncs_ = false;              // what the connection is set to
  bool has_unknown_types_ = false;  // known after load()
  Statement begin_, commit_, rollback_, put_, erase_, erase_tree_;
};

}  // namespace kuma::store
