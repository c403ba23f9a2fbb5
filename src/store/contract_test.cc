// What every store promises (store.h), tested on each of them.
#include <atomic>
#include <latch>
#include <map>
#include <mutex>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "store/memory_store.h"
#include "store/sqlite_store.h"
#include "store/store.h"
#include "store/testing.h"

namespace kuma::store {
namespace {

using absl::StatusCode;
using model::Resource;
using model::ResourceKey;
using model::ResourcePtr;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

struct StoreKind {
  std::string name;
  std::function<std::unique_ptr<Store>(const model::Registry&, const Clock&, const std::filesystem::path& folder)> open;
};

void PrintTo(const StoreKind& kind, std::ostream* out) { *out << kind.name; }

std::vector<StoreKind> store_kinds() {
  return {{"memory",
           [](const auto& registry, const Clock& clock, const auto&) { return make_memory_store(registry, clock); }},
          {"sqlite", [](const auto& registry, const Clock& clock, const auto& folder) {
             auto opened = open_sqlite_store(registry, clock, folder / "store.db");
             EXPECT_TRUE(opened.ok()) << opened.status();
             return *std::move(opened);
           }}};
}

class StoreContract : public testing::TestWithParam<StoreKind> {
 protected:
  StoreContract() : store_(GetParam().open(types_.registry(), clock_, folder_.path())) {}

  ResourcePtr create(Resource resource) {
    auto created = store_->create(std::move(resource));
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? *created : nullptr;
  }
  ResourcePtr update(Resource resource) {
    auto updated = store_->update(std::move(resource));
    EXPECT_TRUE(updated.ok()) << updated.status();
    return updated.ok() ? *updated : nullptr;
  }
  const model::ResourceType& type(std::string_view name) const { return types_.type(name); }
  std::vector<std::string> names(const ListQuery& query) const {
    std::vector<std::string> result;
    for (const ResourcePtr& item : store_->list(query).items) {
      result.push_back(item->meta.mesh.empty() ? item->meta.name : item->meta.mesh + "/" + item->meta.name);
    }
    return result;
  }
  void fill_two_meshes() {
    for (const char* mesh : {"b", "a"}) {
      create(types_.mesh(mesh));
      for (const char* name : {"web-2", "db-1", "web-10", "web-1"}) {
        create(types_.dataplane(mesh, name, name));
      }
    }
  }

  TestTypes types_;
  ManualClock clock_;
  TestFolder folder_;
  std::unique_ptr<Store> store_;
};

// ---- bad input

TEST_P(StoreContract, Rejects_a_resource_without_a_name) {
  EXPECT_EQ(store_->create(types_.mesh("")).status(),
            absl::InvalidArgumentError("a resource needs a name: type=\"Mesh\" name=\"\" mesh=\"\""));
}

TEST_P(StoreContract, Rejects_a_mesh_where_the_scope_has_none_and_the_other_way_round) {
  EXPECT_EQ(
      store_->create(types_.make("Mesh", {"default", "x"})).status(),
      absl::InvalidArgumentError("a resource of this type is of no mesh: type=\"Mesh\" name=\"x\" mesh=\"default\""));
  EXPECT_EQ(
      store_->create(types_.dataplane("", "x")).status(),
      absl::InvalidArgumentError("a resource of this type needs a mesh: type=\"Dataplane\" name=\"x\" mesh=\"\""));
}

TEST_P(StoreContract, Rejects_a_resource_without_a_type_or_of_another_registry) {
  const TestTypes others;
  EXPECT_EQ(store_->create(Resource{}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->create(others.mesh("x")).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->update(others.mesh("x")).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->remove(others.type("Mesh"), {"", "x"}).code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->get(others.type("Mesh"), {"", "x"}).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->list({.type = nullptr}).total, 0U);
  EXPECT_EQ(store_->list({.type = &others.type("Mesh")}).total, 0U);
}

TEST_P(StoreContract, Rejects_a_resource_without_a_spec) {
  Resource mesh = types_.mesh("x");
  mesh.message = nullptr;
  EXPECT_EQ(store_->create(mesh).status().code(), StatusCode::kInvalidArgument);
  create(types_.mesh("x"));
  mesh.meta.version = 1;
  EXPECT_EQ(store_->update(mesh).status().code(), StatusCode::kInvalidArgument);
}

TEST_P(StoreContract, Rejects_a_second_resource_of_the_same_key) {
  create(types_.mesh("default", "first"));
  EXPECT_EQ(store_->create(types_.mesh("default", "second")).status(),
            absl::AlreadyExistsError("resource already exists: type=\"Mesh\" name=\"default\" mesh=\"\""));
  EXPECT_EQ(types_.text_of(**store_->get(type("Mesh"), {"", "default"})), "first");
}

TEST_P(StoreContract, Takes_the_same_key_for_another_type_or_mesh) {
  create(types_.dataplane("a", "x"));
  create(types_.dataplane("b", "x"));
  create(types_.make("Secret", {"a", "x"}));
  EXPECT_EQ(store_->list({.type = &type("Dataplane")}).total, 2U);
}

TEST_P(StoreContract, Rejects_a_resource_whose_owner_does_not_exist) {
  EXPECT_EQ(store_->create(types_.policy("default", "x")).status(),
            absl::NotFoundError("Resource not found: type=\"Mesh\" name=\"default\" mesh=\"\""));
  EXPECT_EQ(store_->create(types_.make("Secret", {"default", "x"}, "", {"NoSuchType", {"m", "n"}})).status(),
            absl::NotFoundError("Resource not found: type=\"NoSuchType\" name=\"n\" mesh=\"m\""));
  EXPECT_EQ(store_->get(type("MeshTimeout"), {"default", "x"}).status().code(), StatusCode::kNotFound);
}

TEST_P(StoreContract, Rejects_an_update_with_a_stale_version_and_keeps_what_is_stored) {
  create(types_.mesh("default", "1"));
  Resource stale = types_.mesh("default", "stale");
  const absl::Status conflict = absl::AbortedError("resource conflict: type=\"Mesh\" name=\"default\" mesh=\"\"");
  for (const uint64_t version : {0, 2}) {
    stale.meta.version = version;
    EXPECT_EQ(store_->update(stale).status(), conflict);
  }
  stale.meta.version = 1;
  update(stale);
  EXPECT_EQ(store_->update(stale).status(), conflict);
  EXPECT_EQ((*store_->get(type("Mesh"), {"", "default"}))->meta.version, 2U);
}

TEST_P(StoreContract, Rejects_an_update_of_what_does_not_exist_as_a_conflict) {
  Resource gone = types_.mesh("default");
  gone.meta.version = 1;
  EXPECT_EQ(store_->update(gone).status().code(), StatusCode::kAborted);
}

TEST_P(StoreContract, Does_not_find_what_was_never_there_or_is_gone) {
  const absl::Status missing = absl::NotFoundError("Resource not found: type=\"Dataplane\" name=\"n\" mesh=\"m\"");
  EXPECT_EQ(store_->get(type("Dataplane"), {"m", "n"}).status(), missing);
  EXPECT_EQ(store_->remove(type("Dataplane"), {"m", "n"}), missing);
  create(types_.dataplane("m", "n"));
  ASSERT_TRUE(store_->remove(type("Dataplane"), {"m", "n"}).ok());
  EXPECT_EQ(store_->remove(type("Dataplane"), {"m", "n"}), missing);
  EXPECT_EQ(store_->get(type("Dataplane"), {"m", "n"}).status(), missing);
}

TEST_P(StoreContract, Sends_no_change_for_a_refused_write) {
  create(types_.mesh("default"));
  size_t changes = 0;
  const auto subscription = store_->subscribe([&](std::span<const Change> some) { changes += some.size(); });
  EXPECT_EQ(changes, 1U);
  (void)store_->create(types_.mesh("default"));
  (void)store_->create(types_.policy("none", "x"));
  (void)store_->update(types_.mesh("default"));
  (void)store_->remove(type("Dataplane"), {"m", "n"});
  EXPECT_EQ(changes, 1U);
}

// ---- metadata

TEST_P(StoreContract, Sets_version_and_times_of_a_new_resource) {
  Resource mesh = types_.mesh("default", "x");
  mesh.meta.version = 17;
  const ResourcePtr created = create(mesh);
  EXPECT_EQ(created->meta.version, 1U);
  EXPECT_EQ(created->meta.creation_time, clock_.wall_now());
  EXPECT_EQ(created->meta.modification_time, clock_.wall_now());
  EXPECT_EQ(*store_->get(type("Mesh"), {"", "default"}), created);
}

TEST_P(StoreContract, Keeps_a_creation_time_that_is_given) {
  const WallTime earlier = clock_.wall_now() - std::chrono::hours(1);
  const WallTime later = earlier + std::chrono::minutes(1);
  Resource mesh = types_.mesh("one");
  mesh.meta.creation_time = earlier;
  EXPECT_EQ(create(mesh)->meta.modification_time, earlier);
  mesh.meta.name = "two";
  mesh.meta.modification_time = later;
  EXPECT_EQ(create(mesh)->meta.creation_time, earlier);
  EXPECT_EQ((*store_->get(type("Mesh"), {"", "two"}))->meta.modification_time, later);
}

TEST_P(StoreContract, Replaces_the_spec_but_keeps_creation_time_and_owner_in_an_update) {
  create(types_.mesh("default"));
  const ResourcePtr created = create(types_.policy("default", "x", "old"));
  clock_.advance(std::chrono::seconds(5));
  Resource changed = types_.policy("default", "x", "new");
  changed.owner = {};
  changed.meta.version = 1;
  changed.meta.creation_time = WallTime(std::chrono::seconds(1));
  const ResourcePtr updated = update(changed);
  EXPECT_EQ(updated->meta.version, 2U);
  EXPECT_EQ(updated->meta.creation_time, created->meta.creation_time);
  EXPECT_EQ(updated->meta.modification_time, clock_.wall_now());
  EXPECT_EQ(updated->owner, created->owner);
  EXPECT_EQ(types_.text_of(*updated), "new");
  EXPECT_EQ(types_.text_of(*created), "old") << "what a reader holds never changes";
  ASSERT_TRUE(store_->remove(type("Mesh"), {"", "default"}).ok());
  EXPECT_EQ(store_->list({.type = &type("MeshTimeout")}).total, 0U) << "still owned after an update";
}

TEST_P(StoreContract, Starts_at_version_one_again_after_a_deletion) {
  create(types_.mesh("default"));
  Resource mesh = types_.mesh("default");
  mesh.meta.version = 1;
  update(mesh);
  ASSERT_TRUE(store_->remove(type("Mesh"), {"", "default"}).ok());
  EXPECT_EQ(create(types_.mesh("default"))->meta.version, 1U);
}

// ---- lists

TEST_P(StoreContract, Lists_by_mesh_then_name_bytewise) {
  fill_two_meshes();
  EXPECT_THAT(names({.type = &type("Dataplane")}),
              ElementsAre("a/db-1", "a/web-1", "a/web-10", "a/web-2", "b/db-1", "b/web-1", "b/web-10", "b/web-2"));
  EXPECT_THAT(names({.type = &type("Mesh")}), ElementsAre("a", "b"));
  EXPECT_THAT(names({.type = &type("Secret")}), IsEmpty());
}

TEST_P(StoreContract, Lists_one_mesh_and_not_those_that_start_alike) {
  for (const char* mesh : {"a", "a-b", "ab", "A", "b"}) {
    create(types_.dataplane(mesh, "x"));
  }
  EXPECT_THAT(names({.type = &type("Dataplane"), .mesh = "a"}), ElementsAre("a/x"));
  EXPECT_THAT(names({.type = &type("Dataplane"), .mesh = "c"}), IsEmpty());
}

TEST_P(StoreContract, Filters_by_part_of_the_name_and_by_function) {
  fill_two_meshes();
  EXPECT_THAT(names({.type = &type("Dataplane"), .mesh = "a", .name_contains = "b-1"}),
              ElementsAre("a/db-1", "a/web-1", "a/web-10"));
  EXPECT_THAT(names({.type = &type("Dataplane"), .name_contains = "nothing"}), IsEmpty());
  const auto is_db = [](const Resource& resource) { return TestTypes::text_of(resource) == "db-1"; };
  EXPECT_THAT(names({.type = &type("Dataplane"), .filter = is_db}), ElementsAre("a/db-1", "b/db-1"));
}

TEST_P(StoreContract, Lets_a_filter_call_the_store) {
  fill_two_meshes();
  const auto filter = [&](const Resource& resource) {
    return store_->get(*resource.type, resource.meta.key()).ok() &&
           store_->create(types_.make("Secret", resource.meta.key())).ok();
  };
  EXPECT_THAT(names({.type = &type("Dataplane"), .filter = filter}), SizeIs(8));
  EXPECT_EQ(store_->list({.type = &type("Secret")}).total, 8U);
}

TEST_P(StoreContract, Cuts_pages_and_counts_all_that_pass_the_filters) {
  fill_two_meshes();
  const auto page = [&](size_t offset, size_t size) {
    const ListResult result =
        store_->list({.type = &type("Dataplane"), .mesh = "a", .name_contains = "web", .offset = offset, .size = size});
    EXPECT_EQ(result.total, 3U);
    std::vector<std::string> result_names;
    for (const ResourcePtr& item : result.items) {
      result_names.push_back(item->meta.name);
    }
    return result_names;
  };
  EXPECT_THAT(page(0, 0), ElementsAre("web-1", "web-10", "web-2"));
  EXPECT_THAT(page(0, 2), ElementsAre("web-1", "web-10"));
  EXPECT_THAT(page(2, 2), ElementsAre("web-2"));
  EXPECT_THAT(page(1, 0), ElementsAre("web-10", "web-2"));
  EXPECT_THAT(page(3, 2), IsEmpty());
  EXPECT_THAT(page(SIZE_MAX, 1), IsEmpty());
  EXPECT_THAT(page(1, SIZE_MAX), ElementsAre("web-10", "web-2"));
}

// ---- owners

TEST_P(StoreContract, Deletes_what_is_owned_children_first_in_one_commit) {
  create(types_.mesh("default"));
  create(types_.make("Dataplane", {"default", "web"}, "", {"Mesh", {"", "default"}}));
  create(types_.insight("default", "web"));
  create(types_.policy("default", "a"));
  create(types_.dataplane("default", "not owned"));
  std::vector<std::string> removed;
  size_t calls = 0;
  uint64_t sequence = 0;
  const auto subscription = store_->subscribe([&](std::span<const Change> changes) {
    ++calls;
    for (const Change& change : changes) {
      if (change.after == nullptr) {
        EXPECT_EQ(change.sequence, ++sequence);
        removed.push_back(std::string(change.type().name) + " " + change.meta().name);
      } else {
        sequence = change.sequence;
      }
    }
  });
  ASSERT_TRUE(store_->remove(type("Mesh"), {"", "default"}).ok());
  EXPECT_EQ(calls, 2U) << "the snapshot and one commit";
  EXPECT_THAT(removed, ElementsAre("DataplaneInsight web", "MeshTimeout a", "Dataplane web", "Mesh default"));
  EXPECT_THAT(names({.type = &type("Dataplane")}), ElementsAre("default/not owned"));
}

TEST_P(StoreContract, Forgets_a_child_that_was_deleted_before_its_owner) {
  create(types_.mesh("default"));
  create(types_.policy("default", "a"));
  ASSERT_TRUE(store_->remove(type("MeshTimeout"), {"default", "a"}).ok());
  create(types_.make("MeshTimeout", {"default", "a"}));
  ASSERT_TRUE(store_->remove(type("Mesh"), {"", "default"}).ok());
  EXPECT_TRUE(store_->get(type("MeshTimeout"), {"default", "a"}).ok()) << "the new one has no owner";
}

TEST_P(StoreContract, Does_not_revive_ownership_when_an_owner_comes_back) {
  create(types_.mesh("default"));
  create(types_.policy("default", "a"));
  ASSERT_TRUE(store_->remove(type("Mesh"), {"", "default"}).ok());
  create(types_.mesh("default"));
  EXPECT_EQ(store_->list({.type = &type("MeshTimeout")}).total, 0U);
}

// ---- change feed

// What a subscriber knows: built from changes alone.
class Mirror {
 public:
  void take(std::span<const Change> changes) {
    const std::lock_guard lock(mutex_);
    for (const Change& change : changes) {
      const std::string key = model::describe(change.type(), change.meta().key());
      if (is_first_ && change.before == nullptr) {
        sequence_ = std::max(sequence_, change.sequence);
      } else {
        ++sequence_;
      }
      in_order_ = in_order_ && change.sequence == sequence_ && by_key_[key] == change.before;
      by_key_[key] = change.after;
      if (change.after == nullptr) {
        by_key_.erase(key);
      }
    }
    is_first_ = false;
  }
  // Nothing was stored at the time of subscription.
  void start_empty() { is_first_ = false; }
  bool in_order() const { return in_order_; }
  const std::map<std::string, ResourcePtr>& resources() const { return by_key_; }

 private:
  std::mutex mutex_;
  bool is_first_ = true;
  bool in_order_ = true;
  uint64_t sequence_ = 0;
  std::map<std::string, ResourcePtr> by_key_;
};

TEST_P(StoreContract, Sends_what_is_stored_as_creates_and_then_every_change_in_order) {
  create(types_.mesh("default", "1"));
  create(types_.dataplane("default", "web"));
  std::vector<Change> seen;
  const auto subscription = store_->subscribe(
      [&](std::span<const Change> changes) { seen.insert(seen.end(), changes.begin(), changes.end()); });
  ASSERT_EQ(seen.size(), 2U);
  for (const Change& change : seen) {
    EXPECT_EQ(change.before, nullptr);
    EXPECT_EQ(change.sequence, 2U) << "the number of the last commit";
  }
  const ResourcePtr first = *store_->get(type("Mesh"), {"", "default"});
  Resource mesh = types_.mesh("default", "2");
  mesh.meta.version = 1;
  const ResourcePtr second = update(mesh);
  clock_.advance(std::chrono::seconds(1));
  ASSERT_TRUE(store_->remove(type("Mesh"), {"", "default"}).ok());
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen[2].before, first);
  EXPECT_EQ(seen[2].after, second);
  EXPECT_EQ(seen[2].sequence, 3U);
  EXPECT_EQ(seen[3].before, second);
  EXPECT_EQ(seen[3].after, nullptr);
  EXPECT_EQ(seen[3].sequence, 4U);
  EXPECT_EQ(seen[3].committed_at, clock_.monotonic_now());
}

TEST_P(StoreContract, Shows_a_change_to_readers_before_subscribers_hear_of_it) {
  // Subscribers must not call the store; another thread's read is what this stands for.
  bool was_visible = false;
  const auto subscription = store_->subscribe([&](std::span<const Change>) {
    std::thread([&] { was_visible = store_->get(type("Mesh"), {"", "default"}).ok(); }).join();
  });
  create(types_.mesh("default"));
  EXPECT_TRUE(was_visible);
}

TEST_P(StoreContract, Sends_nothing_after_the_handle_is_dropped) {
  size_t first = 0;
  size_t second = 0;
  auto one = store_->subscribe([&](std::span<const Change>) { ++first; });
  const auto two = store_->subscribe([&](std::span<const Change>) { ++second; });
  create(types_.mesh("a"));
  one.reset();
  create(types_.mesh("b"));
  EXPECT_EQ(first, 1U);
  EXPECT_EQ(second, 2U);
}

TEST_P(StoreContract, Lets_a_subscription_outlive_the_store) {
  const auto subscription = store_->subscribe([](std::span<const Change>) {});
  store_.reset();
}

// ---- many threads

constexpr size_t kThreads = 4;

void in_threads(const std::function<void(size_t)>& work) {
  std::latch start(kThreads);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      work(i);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

TEST_P(StoreContract, Lets_exactly_one_of_many_create_the_same_key) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> created = 0;
    in_threads([&](size_t) { created += store_->create(types_.mesh("m" + std::to_string(round))).ok() ? 1 : 0; });
    EXPECT_EQ(created, 1);
  }
}

TEST_P(StoreContract, Loses_no_update_of_many_that_retry_conflicts) {
  constexpr int kPerThread = 50;
  create(types_.mesh("counter", "0"));
  in_threads([&](size_t) {
    for (int done = 0; done < kPerThread;) {
      Resource mesh = **store_->get(type("Mesh"), {"", "counter"});
      auto message = std::make_shared<system::v1alpha1::Config>();
      message->set_config(std::to_string(std::stoi(TestTypes::text_of(mesh)) + 1));
      mesh.message = std::move(message);
      done += store_->update(std::move(mesh)).ok() ? 1 : 0;
    }
  });
  const ResourcePtr counter = *store_->get(type("Mesh"), {"", "counter"});
  EXPECT_EQ(TestTypes::text_of(*counter), std::to_string(kThreads * kPerThread));
  EXPECT_EQ(counter->meta.version, kThreads * kPerThread + 1);
}

// Random writes on few keys, so that all sorts of conflicts happen.
void write_at_random(Store& store, const TestTypes& types, size_t seed, int count) {
  uint64_t state = seed * 7919 + 1;
  const auto next = [&](uint64_t below) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33) % below;
  };
  for (int i = 0; i < count; ++i) {
    const std::string mesh = "m" + std::to_string(next(3));
    const std::string name = "n" + std::to_string(next(5));
    switch (next(8)) {
      case 0:
        (void)store.create(types.mesh(mesh));
        break;
      case 1:
        (void)store.remove(types.type("Mesh"), {"", mesh});
        break;
      case 2:
        (void)store.create(types.dataplane(mesh, name));
        break;
      case 3:
        (void)store.remove(types.type("Dataplane"), {mesh, name});
        break;
      case 4:
        (void)store.create(types.insight(mesh, name));
        break;
      case 5:
        (void)store.create(types.policy(mesh, name, "x"));
        break;
      default:
        if (auto found = store.get(types.type("MeshTimeout"), {mesh, name}); found.ok()) {
          (void)store.update(**found);
        }
    }
  }
}

// Every owned resource has its owner.
void expect_no_orphans(const Store& store, const TestTypes& types) {
  for (const model::ResourceType& type : types.registry().types()) {
    for (const ResourcePtr& item : store.list({.type = &type}).items) {
      if (!item->owner.type.empty()) {
        EXPECT_TRUE(store.get(types.type(item->owner.type), item->owner.key).ok())
            << model::describe(type, item->meta.key());
      }
    }
  }
}

TEST_P(StoreContract, Sends_changes_of_many_writers_in_order_without_gaps_and_leaves_no_orphans) {
  Mirror from_start;
  Mirror from_middle;
  from_start.start_empty();
  const auto subscription = store_->subscribe([&](std::span<const Change> changes) { from_start.take(changes); });
  std::unique_ptr<Subscription> late;
  in_threads([&](size_t i) {
    write_at_random(*store_, types_, i, 200);
    if (i == 0) {
      late = store_->subscribe([&](std::span<const Change> changes) { from_middle.take(changes); });
    }
    write_at_random(*store_, types_, i + kThreads, 200);
  });
  EXPECT_TRUE(from_start.in_order());
  std::map<std::string, ResourcePtr> stored;
  for (const model::ResourceType& some : types_.registry().types()) {
    for (const ResourcePtr& item : store_->list({.type = &some}).items) {
      stored[model::describe(some, item->meta.key())] = item;
    }
  }
  EXPECT_EQ(from_start.resources(), stored);
  EXPECT_EQ(from_middle.resources(), stored);
  expect_no_orphans(*store_, types_);
}

TEST_P(StoreContract, Reads_while_others_write) {
  std::atomic<bool> is_over = false;
  create(types_.mesh("default"));
  std::thread reader([&] {
    while (!is_over) {
      const ListResult all = store_->list({.type = &type("MeshTimeout"), .name_contains = "n"});
      EXPECT_EQ(all.total, all.items.size());
      EXPECT_TRUE(store_->get(type("Mesh"), {"", "default"}).ok());
    }
  });
  in_threads([&](size_t i) { write_at_random(*store_, types_, i, 200); });
  is_over = true;
  reader.join();
}

TEST_P(StoreContract, Drops_subscriptions_while_others_write) {
  std::atomic<bool> is_over = false;
  std::thread subscriber([&] {
    while (!is_over) {
      auto alive = std::make_unique<std::atomic<int>>(0);
      auto subscription = store_->subscribe([calls = alive.get()](std::span<const Change>) { ++*calls; });
      subscription.reset();
      alive.reset();  // a call after this would be a use after free
    }
  });
  in_threads([&](size_t i) { write_at_random(*store_, types_, i, 200); });
  is_over = true;
  subscriber.join();
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, testing::ValuesIn(store_kinds()),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace kuma::store
