#include "store/sqlite_file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/json.h"
#include "base/status.h"
#include "model/rest.h"

namespace kuma::store {

using model::Resource;
using model::ResourcePtr;

namespace {

// "Kuma" in ASCII: tells our files from other programs' SQLite files.
constexpr int64_t kApplicationId = 0x4b756d61;
constexpr int64_t kFormat = 1;

constexpr char kCreateTable[] =
    "CREATE TABLE resources (type TEXT NOT NULL, mesh TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,"
    " creation_time INTEGER NOT NULL, modification_time INTEGER NOT NULL,"
    " owner_type TEXT NOT NULL, owner_mesh TEXT NOT NULL, owner_name TEXT NOT NULL, spec TEXT NOT NULL,"
    " PRIMARY KEY (type, mesh, name)) WITHOUT ROWID";

// Goes along the owner links, so that rows of types that this program does not know go with their owner as well.
constexpr char kEraseTree[] =
    "WITH RECURSIVE tree(t, m, n) AS (SELECT ?1, ?2, ?3 UNION SELECT r.type, r.mesh, r.name FROM resources r JOIN tree"
    " ON r.owner_type = t AND r.owner_mesh = m AND r.owner_name = n)"
    " DELETE FROM resources WHERE (type, mesh, name) IN (SELECT t, m, n FROM tree)";

void bind_text(sqlite3_stmt* statement, int position, std::string_view text) {
  // Bound texts outlive the step that uses them, so SQLite need not copy. Out of memory is found by the step.
  sqlite3_bind_text(statement, position, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

void bind_number(sqlite3_stmt* statement, int position, int64_t number) {
  sqlite3_bind_int64(statement, position, number);
}

void bind_key(sqlite3_stmt* statement, const Resource& resource) {
  bind_text(statement, 1, resource.type->name);
  bind_text(statement, 2, resource.meta.mesh);
  bind_text(statement, 3, resource.meta.name);
}

std::string_view text_of(sqlite3_stmt* row, int column) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(row, column));
  return text == nullptr ? std::string_view{}
                         : std::string_view(text, static_cast<size_t>(sqlite3_column_bytes(row, column)));
}

WallTime time_of(sqlite3_stmt* row, int column) {
  return WallTime(std::chrono::nanoseconds(sqlite3_column_int64(row, column)));
}

bool is_out_of_space(int code, int system_error) {
  return (code & 0xff) == SQLITE_FULL || system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

// The file holds keys and tokens: nobody else may read it. SQLite gives its WAL the mode of the file.
absl::Status create_private(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return absl::UnavailableError(
        fmt::format("cannot open the store file {}: {}", file.string(), std::generic_category().message(errno)));
  }
  ::close(fd);
  return absl::OkStatus();
}

}  // namespace

void SqliteFile::StatementDeleter::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

SqliteFile::~SqliteFile() {
  for (Statement* statement : {&begin_, &commit_, &rollback_, &put_, &erase_, &erase_tree_}) {
    statement->reset();
  }
  sqlite3_close(db_);
}

absl::Status SqliteFile::error(const char* doing) const {
  const int last_errno = errno;
  const int code = sqlite3_extended_errcode(db_);
  const bool is_io_error = (code & 0xff) == SQLITE_IOERR;
  // A failed COMMIT tells SQLite's own record nothing; then errno, which step() cleared, still has it.
  const int system_error = sqlite3_system_errno(db_) != 0 ? sqlite3_system_errno(db_) : last_errno;
  std::string cause = sqlite3_errmsg(db_);
  if (is_io_error && system_error != 0) {
    cause += fmt::format(" ({})", std::generic_category().message(system_error));
  }
  if (is_out_of_space(code, is_io_error ? system_error : 0)) {
    return absl::ResourceExhaustedError(
        fmt::format("no space left for the store file {}: {}: nothing was changed, free some space and try again",
                    file_.string(), cause));
  }
  if ((code & 0xff) == SQLITE_NOTADB || (code & 0xff) == SQLITE_CORRUPT) {
    return absl::DataLossError(fmt::format("store file {} is damaged or no SQLite file: {}", file_.string(), cause));
  }
  if ((code & 0xff) == SQLITE_BUSY) {
    return absl::FailedPreconditionError(fmt::format(
        "store file {} is open in another program (a sqlite3 shell, a backup?): close it there first", file_.string()));
  }
  return absl::UnavailableError(fmt::format("store file {}: {}: {}", file_.string(), doing, cause));
}

absl::Status SqliteFile::run(const char* sql) {
  return sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK ? absl::OkStatus() : error(sql);
}

absl::StatusOr<SqliteFile::Statement> SqliteFile::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return error(sql);
  }
  return Statement(statement);
}

absl::StatusOr<int64_t> SqliteFile::read_number(const char* sql) {
  KUMA_ASSIGN_OR_RETURN(const Statement statement, prepare(sql));
  if (sqlite3_step(statement.get()) != SQLITE_ROW) {
    return error(sql);
  }
  return sqlite3_column_int64(statement.get(), 0);
}

absl::StatusOr<std::unique_ptr<SqliteFile>> SqliteFile::open(const std::filesystem::path& file,
                                                             uint64_t file_bytes_max) {
  KUMA_RETURN_IF_ERROR(create_private(file));
  sqlite3* db = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int opened = sqlite3_open_v2(file.c_str(), &db, flags, nullptr);
  std::unique_ptr<SqliteFile> result(new SqliteFile(file, db));
  if (opened != SQLITE_OK) {
    return result->error("opening");
  }
  KUMA_RETURN_IF_ERROR(result->prepare_file(file_bytes_max));
  return result;
}

absl::Status SqliteFile::prepare_file(uint64_t file_bytes_max) {
  // Nobody else may write what is kept in memory here; without other readers the WAL's index need not be shared either.
  KUMA_RETURN_IF_ERROR(run("PRAGMA locking_mode = EXCLUSIVE"));
  KUMA_RETURN_IF_ERROR(check_format());
  KUMA_RETURN_IF_ERROR(run("PRAGMA journal_mode = WAL"));
  KUMA_RETURN_IF_ERROR(run("PRAGMA synchronous = NORMAL"));
  KUMA_RETURN_IF_ERROR(run("PRAGMA journal_size_limit = 8388608"));
  KUMA_ASSIGN_OR_RETURN(const int64_t tables, read_number("SELECT count(*) FROM sqlite_master"));
  if (tables == 0) {
    KUMA_RETURN_IF_ERROR(create_format());
  }
  if (file_bytes_max > 0) {
    KUMA_ASSIGN_OR_RETURN(const int64_t page_size, read_number("PRAGMA page_size"));
    const uint64_t pages = file_bytes_max / static_cast<uint64_t>(page_size);
    KUMA_RETURN_IF_ERROR(run(fmt::format("PRAGMA max_page_count = {}", pages).c_str()));
  }
  KUMA_ASSIGN_OR_RETURN(begin_, prepare("BEGIN IMMEDIATE"));
  KUMA_ASSIGN_OR_RETURN(commit_, prepare("COMMIT"));
  KUMA_ASSIGN_OR_RETURN(rollback_, prepare("ROLLBACK"));
  KUMA_ASSIGN_OR_RETURN(put_,
                        prepare("INSERT OR REPLACE INTO resources VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"));
  KUMA_ASSIGN_OR_RETURN(erase_, prepare("DELETE FROM resources WHERE type = ?1 AND mesh = ?2 AND name = ?3"));
  KUMA_ASSIGN_OR_RETURN(erase_tree_, prepare(kEraseTree));
  return absl::OkStatus();
}

// Looks before anything is written. An empty file (a first start that was cut short) is a new one.
absl::Status SqliteFile::check_format() {
  KUMA_ASSIGN_OR_RETURN(const int64_t tables, read_number("SELECT count(*) FROM sqlite_master"));
  if (tables == 0) {
    return absl::OkStatus();
  }
  KUMA_ASSIGN_OR_RETURN(const int64_t application, read_number("PRAGMA application_id"));
  if (application != kApplicationId) {
    return absl::FailedPreconditionError(fmt::format(
        "{} is a SQLite file of another program; it was left as it is. Name another file with KUMA_STORE_SQLITE_PATH",
        file_.string()));
  }
  KUMA_ASSIGN_OR_RETURN(const int64_t format, read_number("PRAGMA user_version"));
  if (format != kFormat) {
    return absl::FailedPreconditionError(
        fmt::format("store file {} has format {}, and this version reads format {}; it was left as it is. Run the "
                    "version that wrote it, "
                    "or name another file with KUMA_STORE_SQLITE_PATH",
                    file_.string(), format, kFormat));
  }
  return absl::OkStatus();
}

absl::Status SqliteFile::create_format() {
  KUMA_RETURN_IF_ERROR(run("BEGIN IMMEDIATE"));
  absl::Status status = run(fmt::format("PRAGMA application_id = {}", kApplicationId).c_str());
  status.Update(run(fmt::format("PRAGMA user_version = {}", kFormat).c_str()));
  status.Update(run(kCreateTable));
  status.Update(run("COMMIT"));
  return status;
}

absl::StatusOr<ResourcePtr> SqliteFile::read_row(sqlite3_stmt* row, const model::ResourceType& type) const {
  const model::ResourceKey key{std::string(text_of(row, 1)), std::string(text_of(row, 2))};
  absl::StatusOr<json::value> spec = parse_json(text_of(row, 9));
  absl::StatusOr<Resource> resource = spec.ok() ? model::from_spec_json(type, key, *spec) : spec.status();
  if (!resource.ok()) {
    return absl::DataLossError(fmt::format(
        "store file {} holds a resource that cannot be read: {}: {}. Repair or delete that row with the sqlite3 tool",
        file_.string(), describe(type, key), resource.status().message()));
  }
  resource->meta.version = static_cast<uint64_t>(sqlite3_column_int64(row, 3));
  resource->meta.creation_time = time_of(row, 4);
  resource->meta.modification_time = time_of(row, 5);
  resource->owner.type = text_of(row, 6);
  resource->owner.key = {std::string(text_of(row, 7)), std::string(text_of(row, 8))};
  return std::make_shared<const Resource>(*std::move(resource));
}

absl::Status SqliteFile::load(const model::Registry& registry, const std::function<void(ResourcePtr)>& take) {
  KUMA_ASSIGN_OR_RETURN(const Statement rows, prepare("SELECT * FROM resources"));
  int code = sqlite3_step(rows.get());
  for (; code == SQLITE_ROW; code = sqlite3_step(rows.get())) {
    const model::ResourceType* type = registry.find(text_of(rows.get(), 0));
    if (type == nullptr) {
      has_unknown_types_ = true;
      continue;
    }
    KUMA_ASSIGN_OR_RETURN(ResourcePtr resource, read_row(rows.get(), *type));
    take(std::move(resource));
  }
  return code == SQLITE_DONE ? absl::OkStatus() : error("reading");
}

absl::Status SqliteFile::step(const Statement& statement) {
  errno = 0;
  const int code = sqlite3_step(statement.get());
  const absl::Status status = code == SQLITE_DONE ? absl::OkStatus() : error("writing");
  sqlite3_reset(statement.get());
  sqlite3_clear_bindings(statement.get());
  return status;
}

absl::Status SqliteFile::put(const Resource& resource) {
  const std::string spec = to_json(model::spec_to_json(resource));
  bind_key(put_.get(), resource);
  bind_number(put_.get(), 4, static_cast<int64_t>(resource.meta.version));
  bind_number(put_.get(), 5, resource.meta.creation_time.time_since_epoch().count());
  bind_number(put_.get(), 6, resource.meta.modification_time.time_since_epoch().count());
  bind_text(put_.get(), 7, resource.owner.type);
  bind_text(put_.get(), 8, resource.owner.key.mesh);
  bind_text(put_.get(), 9, resource.owner.key.name);
  bind_text(put_.get(), 10, spec);
  return step(put_);
}

absl::Status SqliteFile::erase(const Resource& resource) {
  const Statement& statement = has_unknown_types_ ? erase_tree_ : erase_;
  bind_key(statement.get(), resource);
  return step(statement);
}

absl::Status SqliteFile::write(const model::Change& change) {
  return change.after != nullptr ? put(*change.after) : erase(*change.before);
}

absl::Status SqliteFile::write_all(const std::vector<model::Change>& changes) {
  KUMA_RETURN_IF_ERROR(step(begin_));
  absl::Status status;
  for (auto change = changes.begin(); status.ok() && change != changes.end(); ++change) {
    status = write(*change);
  }
  if (status.ok()) {
    status = step(commit_);
  }
  // SQLite rolls back by itself after some errors, a full disk among them.
  if (!status.ok() && sqlite3_get_autocommit(db_) == 0) {
    (void)step(rollback_);
  }
  return status;
}

absl::Status SqliteFile::set_sync(bool sync) {
  if (sync != syncs_) {
    KUMA_RETURN_IF_ERROR(run(sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL"));
    syncs_ = sync;
  }
  return absl::OkStatus();
}

absl::Status SqliteFile::commit(const std::vector<model::Change>& changes, bool sync) {
  KUMA_RETURN_IF_ERROR(set_sync(sync));
  return write_all(changes);
}

}  // namespace kuma::store
