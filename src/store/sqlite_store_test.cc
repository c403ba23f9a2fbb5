// What only the sqlite store promises: files, formats, ownership, full disks. contract_test.cc has the rest.
#include "store/sqlite_store.h"

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "store/testing.h"

namespace kuma::store {
namespace {

using absl::StatusCode;
using model::ResourcePtr;
using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;

class SqliteStore : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Store>> try_open(SqliteOptions options = {}) {
    return open_sqlite_store(types_.registry(), clock_, file_, std::move(options));
  }
  void open(SqliteOptions options = {}) {
    store_.reset();
    auto opened = try_open(std::move(options));
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  // Runs SQL on the closed file, as somebody with the sqlite3 tool would.
  void run_sql(const std::string& sql) {
    store_.reset();
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file_.c_str(), &db), SQLITE_OK);
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
    sqlite3_close(db);
  }
  int64_t read_sql(const std::string& sql) {
    store_.reset();
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(file_.c_str(), &db), SQLITE_OK);
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
    const int64_t result = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return result;
  }
  std::string file_bytes() const {
    std::ostringstream bytes;
    bytes << std::ifstream(file_, std::ios::binary).rdbuf();
    return bytes.str();
  }
  size_t count(std::string_view type) const { return store_->list({.type = &types_.type(type)}).total; }

  TestTypes types_;
  ManualClock clock_;
  TestFolder folder_;
  std::filesystem::path file_ = folder_.path() / "kuma.db";
  std::unique_ptr<Store> store_;
};

// ---- files that cannot be used

TEST_F(SqliteStore, Says_which_file_cannot_be_made) {
  file_ = folder_.path() / "missing" / "kuma.db";
  const absl::Status status = try_open().status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(file_.string()), HasSubstr("No such file or directory")));
}

TEST_F(SqliteStore, Refuses_a_file_that_is_no_SQLite_file_and_leaves_it_alone) {
  const std::string text = "apiVersion: v1\n" + std::string(5000, '#');
  std::ofstream(file_) << text;
  const absl::Status status = try_open().status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(file_.string()), HasSubstr("damaged or no SQLite file")));
  EXPECT_EQ(file_bytes(), text);
}

TEST_F(SqliteStore, Refuses_a_file_of_another_program_and_leaves_it_alone) {
  run_sql("CREATE TABLE bookmarks (url TEXT)");
  const std::string before = file_bytes();
  const absl::Status status = try_open().status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is a SQLite file of another program"));
  EXPECT_EQ(file_bytes(), before);
}

TEST_F(SqliteStore, Refuses_a_file_of_a_newer_format_and_keeps_its_rows) {
  open();
  ASSERT_TRUE(store_->create(types_.mesh("default")).ok());
  run_sql("PRAGMA user_version = 2");
  const absl::Status status = try_open().status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("has format 2, and this version reads format 1"),
                                                   HasSubstr("Run the version that wrote it")));
  run_sql("PRAGMA user_version = 1");
  open();
  EXPECT_EQ(count("Mesh"), 1U);
}

TEST_F(SqliteStore, Names_the_row_that_cannot_be_read_and_loses_nothing) {
  open();
  ASSERT_TRUE(store_->create(types_.dataplane("m", "web")).ok());
  for (const char* spec : {"{\"config\":", "[]", "{\"config\":{}}"}) {
    run_sql(fmt::format("UPDATE resources SET spec = '{}'", spec));
    const absl::Status status = try_open().status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << spec;
    EXPECT_THAT(std::string(status.message()), HasSubstr("type=\"Dataplane\" name=\"web\" mesh=\"m\"")) << spec;
  }
  run_sql("UPDATE resources SET spec = '{}'");
  open();
  EXPECT_EQ(count("Dataplane"), 1U);
}

TEST_F(SqliteStore, Refuses_a_damaged_file) {
  open();
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(store_->create(types_.mesh("m" + std::to_string(i), std::string(1000, 'x'))).ok());
  }
  store_.reset();
  std::fstream bytes(file_, std::ios::binary | std::ios::in | std::ios::out);
  bytes.seekp(4096);
  bytes << std::string(8192, '\x5a');
  bytes.close();
  EXPECT_EQ(try_open().status().code(), StatusCode::kDataLoss);
}

TEST_F(SqliteStore, Takes_an_empty_file_as_a_new_one) {
  std::ofstream(file_).flush();
  open();
  EXPECT_TRUE(store_->create(types_.mesh("default")).ok());
}

// ---- ownership

TEST_F(SqliteStore, Tells_a_second_user_who_has_the_file_and_what_to_do) {
  open({.instance = "host-1a2b"});
  const absl::Status status = try_open().status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            fmt::format(
                "store file {} is in use by process {} (instance host-1a2b), since 2023-11-14T22:13:20Z: stop that one "
                "first, or give this control plane a file of its own (KUMA_STORE_SQLITE_PATH, or another "
                "KUMA_GENERAL_WORK_DIR)",
                file_.string(), ::getpid()));
  EXPECT_TRUE(store_->create(types_.mesh("default")).ok()) << "the first goes on";
}

TEST_F(SqliteStore, Is_free_again_after_it_is_closed_or_its_owner_has_died) {
  open();
  open();
  store_.reset();
  std::ofstream(file_.string() + ".lock") << "process 1 (instance gone), since forever\n";
  open();
  EXPECT_TRUE(store_->create(types_.mesh("default")).ok());
}

TEST_F(SqliteStore, Does_not_open_a_file_that_another_program_is_writing) {
  open();
  store_.reset();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file_.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "BEGIN IMMEDIATE; DELETE FROM resources", nullptr, nullptr, nullptr), SQLITE_OK);
  const absl::Status status = try_open().status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is open in another program"));
  sqlite3_close(db);
}

TEST_F(SqliteStore, Keeps_other_programs_out_while_it_is_open) {
  open();
  ASSERT_TRUE(store_->create(types_.mesh("default")).ok());
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file_.c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, "DELETE FROM resources", nullptr, nullptr, nullptr), SQLITE_BUSY);
  sqlite3_close(db);
}

TEST_F(SqliteStore, Lets_nobody_else_read_its_files) {
  open();
  ASSERT_TRUE(store_->create(types_.mesh("default")).ok());
  for (const char* suffix : {"", "-wal", ".lock"}) {
    struct stat info {};
    ASSERT_EQ(::stat((file_.string() + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777, 0600U) << suffix;
  }
}

// ---- what a restart keeps

TEST_F(SqliteStore, Keeps_everything_over_a_restart) {
  open();
  ASSERT_TRUE(store_->create(types_.mesh("default", "é \"quoted\" \n\t\\ 世界")).ok());
  clock_.advance(std::chrono::nanoseconds(1'234'567'891));
  ASSERT_TRUE(store_->create(types_.policy("default", "a", "1")).ok());
  ASSERT_TRUE(store_->create(types_.policy("default", "b", "gone")).ok());
  ASSERT_TRUE(store_->remove(types_.type("MeshTimeout"), {"default", "b"}).ok());
  model::Resource changed = types_.policy("default", "a", "2");
  changed.meta.version = 1;
  clock_.advance(std::chrono::hours(1));
  const ResourcePtr before = *store_->update(changed);

  open();
  const ResourcePtr mesh = *store_->get(types_.type("Mesh"), {"", "default"});
  EXPECT_EQ(TestTypes::text_of(*mesh), "é \"quoted\" \n\t\\ 世界");
  const ResourcePtr after = *store_->get(types_.type("MeshTimeout"), {"default", "a"});
  EXPECT_EQ(TestTypes::text_of(*after), "2");
  EXPECT_EQ(after->meta.version, 2U);
  EXPECT_EQ(after->meta.creation_time, before->meta.creation_time);
  EXPECT_EQ(after->meta.modification_time, before->meta.modification_time);
  EXPECT_EQ(after->owner, before->owner);
  EXPECT_EQ(count("MeshTimeout"), 1U);

  ASSERT_TRUE(store_->remove(types_.type("Mesh"), {"", "default"}).ok()) << "and owners still own";
  EXPECT_EQ(count("MeshTimeout"), 0U);
  open();
  EXPECT_EQ(count("Mesh") + count("MeshTimeout"), 0U);
}

TEST_F(SqliteStore, Keeps_rows_of_types_that_it_does_not_know) {
  open();
  ASSERT_TRUE(store_->create(types_.mesh("default")).ok());
  ASSERT_TRUE(store_->create(types_.policy("default", "a", "kept")).ok());
  ASSERT_TRUE(store_->create(types_.dataplane("default", "web")).ok());
  store_.reset();
  {
    const TestTypes older(false);
    auto opened = open_sqlite_store(older.registry(), clock_, file_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ((*opened)->list({.type = &older.type("Mesh")}).total, 1U);
    ASSERT_TRUE((*opened)->create(older.mesh("other")).ok());
    ASSERT_TRUE((*opened)->remove(older.type("Dataplane"), {"default", "web"}).ok());
  }
  open();
  EXPECT_EQ(TestTypes::text_of(**store_->get(types_.type("MeshTimeout"), {"default", "a"})), "kept");
  EXPECT_EQ(count("Mesh"), 2U);
  EXPECT_EQ(count("Dataplane"), 0U);
}

TEST_F(SqliteStore, Deletes_rows_of_unknown_types_with_their_owner) {
  open();
  ASSERT_TRUE(store_->create(types_.mesh("a")).ok());
  ASSERT_TRUE(store_->create(types_.mesh("b")).ok());
  ASSERT_TRUE(store_->create(types_.policy("a", "x")).ok());
  ASSERT_TRUE(store_->create(types_.policy("b", "x")).ok());
  store_.reset();
  {
    const TestTypes older(false);
    auto opened = open_sqlite_store(older.registry(), clock_, file_);
    ASSERT_TRUE((*opened)->remove(older.type("Mesh"), {"", "a"}).ok());
  }
  open();
  EXPECT_FALSE(store_->get(types_.type("MeshTimeout"), {"a", "x"}).ok());
  EXPECT_TRUE(store_->get(types_.type("MeshTimeout"), {"b", "x"}).ok());
}

TEST_F(SqliteStore, Writes_specs_as_JSON_that_people_can_read) {
  open();
  ASSERT_TRUE(store_->create(types_.mesh("default")).ok());
  ASSERT_TRUE(store_->create(types_.policy("default", "a", "1m")).ok());
  EXPECT_EQ(read_sql("SELECT count(*) FROM resources WHERE type = 'MeshTimeout' AND mesh = 'default' AND name = 'a' "
                     "AND json_extract(spec, '$.text') = '1m' AND owner_type = 'Mesh' AND owner_name = 'default'"),
            1);
}

// ---- full disks

TEST_F(SqliteStore, Refuses_writes_on_a_full_disk_with_the_cause_and_changes_nothing) {
  open({.file_bytes_max = 128 * 1024});
  size_t changes = 0;
  const auto subscription = store_->subscribe([&](std::span<const Change> some) { changes += some.size(); });
  size_t stored = 0;
  absl::Status status;
  for (; status.ok() && stored < 1000; ++stored) {
    status = store_->create(types_.mesh("m" + std::to_string(stored), std::string(8000, 'x'))).status();
  }
  --stored;
  ASSERT_GT(stored, 3U);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), fmt::format("no space left for the store file {}: database or disk is full: nothing was "
                                          "changed, free some space and try again",
                                          file_.string()));
  EXPECT_EQ(changes, stored);
  EXPECT_EQ(count("Mesh"), stored);

  // A replacement that does not fit leaves the old one.
  model::Resource large = types_.mesh("m0", std::string(20'000, 'y'));
  large.meta.version = 1;
  EXPECT_EQ(store_->update(large).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ((*store_->get(types_.type("Mesh"), {"", "m0"}))->meta.version, 1U);

  // Deleting makes room again.
  ASSERT_TRUE(store_->remove(types_.type("Mesh"), {"", "m1"}).ok());
  EXPECT_TRUE(store_->create(types_.mesh("fits", std::string(7000, 'z'))).ok());
  open();
  EXPECT_EQ(count("Mesh"), stored);
  EXPECT_EQ((*store_->get(types_.type("Mesh"), {"", "m0"}))->meta.version, 1U);
}

TEST_F(SqliteStore, Fails_only_the_write_of_a_group_that_does_not_fit) {
  open({.file_bytes_max = 512 * 1024});
  std::vector<std::thread> threads;
  std::atomic<size_t> refused = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string name = fmt::format("m-{}-{}", t, i);
        const bool is_large = i % 10 == t;
        const absl::Status status =
            store_->create(types_.mesh(name, std::string(is_large ? 1'000'000 : 10, 'x'))).status();
        EXPECT_EQ(status.ok(), !is_large) << status;
        refused += status.code() == StatusCode::kResourceExhausted ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(refused, 20U);
  open();
  EXPECT_EQ(count("Mesh"), 180U);
}

// Files of this process may not grow beyond a size for as long as this lives: the nearest thing to a full disk that
// needs no privileges, and it fails the same system calls.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(SqliteStore, Works_again_when_a_disk_that_refused_writes_has_space) {
  open();
  ASSERT_TRUE(store_->create(types_.mesh("before")).ok());
  std::vector<absl::Status> refused;
  size_t visible = 0;
  {
    const FileSizeLimit limit(std::filesystem::file_size(file_.string() + "-wal") + 1000);
    for (int i = 0; i < 3; ++i) {
      refused.push_back(store_->create(types_.mesh("refused-" + std::to_string(i), std::string(50'000, 'x'))).status());
    }
    visible = count("Mesh");
  }
  for (const absl::Status& status : refused) {
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("File too large"));
  }
  EXPECT_EQ(visible, 1U);
  EXPECT_TRUE(store_->create(types_.mesh("after", std::string(50'000, 'x'))).ok());
  open();
  EXPECT_EQ(count("Mesh"), 2U);
}

}  // namespace
}  // namespace kuma::store
