#include "store/sqlite_store.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/status.h"
#include "store/change_feed.h"
#include "store/file_lock.h"
#include "store/resource_table.h"
#include "store/sqlite_file.h"

namespace kuma::store {
namespace {

// Writes in one transaction at most. Bounds how long a commit takes, and with it how long a subscriber's call lasts.
constexpr size_t kGroupMax = 256;

// A write on its way: made by a caller's thread, which waits for `done`.
struct Write {
  std::function<WritePlan(const ResourceTable&)> plan;
  absl::StatusOr<model::ResourcePtr> result = absl::InternalError("not written");
  bool done = false;
};

// Writes that depend on nothing that another of them changes, so that all can be planned on the table as it is.
class Group {
 public:
  // False when it must wait for this group to be committed.
  bool fits(const WritePlan& plan) const {
    const auto is_written = [&](const ResourceRef& ref) { return written_.contains(ref); };
    const auto is_read = [&](const ResourceRef& ref) { return read_.contains(ref); };
    return std::none_of(plan.written.begin(), plan.written.end(), is_written) &&
           std::none_of(plan.written.begin(), plan.written.end(), is_read) &&
           std::none_of(plan.read.begin(), plan.read.end(), is_written);
  }

  void add(Write& write, WritePlan plan) {
    written_.insert(plan.written.begin(), plan.written.end());
    read_.insert(plan.read.begin(), plan.read.end());
    write.result = plan.changes.back().after;
    changes_.insert(changes_.end(), plan.changes.begin(), plan.changes.end());
    writes_.push_back(&write);
  }

  const std::vector<Write*>& writes() const { return writes_; }
  std::vector<Change>& changes() { return changes_; }

 private:
  std::vector<Write*> writes_;
  std::vector<Change> changes_;
  absl::flat_hash_set<ResourceRef> written_;
  absl::flat_hash_set<ResourceRef> read_;
};

// What control planes write about their proxies and zones again and again: the latest few may be lost with the power.
bool is_status(const model::ResourceType& type) { return type.name.ends_with("Insight"); }

class SqliteStore final : public Store {
 public:
  SqliteStore(const model::Registry& registry, const Clock& clock, std::unique_ptr<FileLock> lock,
              std::unique_ptr<SqliteFile> file)
      : lock_(std::move(lock)),
        file_(std::move(file)),
        table_(registry, clock),
        feed_(std::make_shared<ChangeFeed>(clock)) {}

  absl::Status load(const model::Registry& registry) {
    return file_->load(registry, [this](model::ResourcePtr resource) { table_.load(std::move(resource)); });
  }

  absl::StatusOr<model::ResourcePtr> create(model::Resource resource) override {
    return run([&](const ResourceTable& table) { return table.plan_create(resource); });
  }

  absl::StatusOr<model::ResourcePtr> update(model::Resource resource) override {
    return run([&](const ResourceTable& table) { return table.plan_update(resource); });
  }

  absl::Status remove(const model::ResourceType& type, const model::ResourceKey& key) override {
    return run([&](const ResourceTable& table) { return table.plan_remove(type, key); }).status();
  }

  absl::StatusOr<model::ResourcePtr> get(const model::ResourceType& type,
                                         const model::ResourceKey& key) const override {
    model::ResourcePtr found = table_.find(type, key);
    if (found == nullptr) {
      return not_found(type.name, key);
    }
    return found;
  }

  ListResult list(const ListQuery& query) const override { return table_.list(query); }

  std::unique_ptr<Subscription> subscribe(std::function<void(std::span<const Change>)> on_changes) override {
    const std::lock_guard lock(writer_mutex_);
    return feed_->subscribe(table_.all(), std::move(on_changes));
  }

  std::string_view kind() const override { return "sqlite"; }

 private:
  // Queues the write, then either waits or, when no other thread is at it, commits what is queued.
  absl::StatusOr<model::ResourcePtr> run(std::function<WritePlan(const ResourceTable&)> plan) {
    Write write{.plan = std::move(plan)};
    std::unique_lock lock(queue_mutex_);
    queue_.push_back(&write);
    while (!write.done) {
      if (has_leader_) {
        queue_changed_.wait(lock, [&] { return write.done || !has_leader_; });
        continue;
      }
      lead(lock);
    }
    return std::move(write.result);
  }

  void lead(std::unique_lock<std::mutex>& lock) {
    has_leader_ = true;
    std::deque<Write*> batch;
    while (!queue_.empty() && batch.size() < kGroupMax) {
      batch.push_back(queue_.front());
      queue_.pop_front();
    }
    lock.unlock();
    commit_batch(batch);
    lock.lock();
    for (Write* write : batch) {
      write->done = true;
    }
    has_leader_ = false;
    queue_changed_.notify_all();
  }

  void commit_batch(const std::deque<Write*>& batch) {
    const std::lock_guard lock(writer_mutex_);
    Group group;
    for (Write* write : batch) {
      WritePlan plan = write->plan(table_);
      if (!group.fits(plan)) {
        commit_group(std::exchange(group, {}));
        plan = write->plan(table_);
      }
      if (!plan.status.ok()) {
        write->result = plan.status;
        continue;
      }
      group.add(*write, std::move(plan));
    }
    commit_group(std::move(group));
  }

  void commit_group(Group group) {
    if (group.writes().empty()) {
      return;
    }
    const absl::Status status = commit(group.changes());
    if (status.ok()) {
      return;
    }
    if (group.writes().size() == 1) {
      group.writes().front()->result = status;
      return;
    }
    // One that is too big must not fail its neighbours.
    for (Write* write : group.writes()) {
      if (WritePlan plan = write->plan(table_); plan.status.ok()) {
        Group single;
        single.add(*write, std::move(plan));
        commit_group(std::move(single));
      } else {
        write->result = plan.status;
      }
    }
  }

  // File first, then memory, then the subscribers: nobody sees what could still be lost.
  absl::Status commit(std::vector<Change>& changes) {
    const bool sync = std::any_of(changes.begin(), changes.end(), [](const Change& c) { return !is_status(c.type()); });
    KUMA_RETURN_IF_ERROR(file_->commit(changes, sync));
    table_.apply(changes);
    feed_->publish(std::move(changes));
    return absl::OkStatus();
  }

  std::unique_ptr<FileLock> lock_;

  std::mutex queue_mutex_;  // guards what follows
  std::condition_variable queue_changed_;
  std::deque<Write*> queue_;  // bounded by the number of calling threads
  bool has_leader_ = false;

  std::mutex
      writer_mutex_;  // guards the file, planning, applying and the order of the feed; held while writing the file
  std::unique_ptr<SqliteFile> file_;
  ResourceTable table_;
  std::shared_ptr<ChangeFeed> feed_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> open_sqlite_store(const model::Registry& registry, const Clock& clock,
                                                         const std::filesystem::path& file, SqliteOptions options) {
  KUMA_ASSIGN_OR_RETURN(std::unique_ptr<FileLock> lock, FileLock::acquire(file, options.instance, clock));
  KUMA_ASSIGN_OR_RETURN(std::unique_ptr<SqliteFile> opened, SqliteFile::open(file, options.file_bytes_max));
  auto store = std::make_unique<SqliteStore>(registry, clock, std::move(lock), std::move(opened));
  KUMA_RETURN_IF_ERROR(store->load(registry));
  return store;
}

}  // namespace kuma::store
