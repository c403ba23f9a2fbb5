#include "security/key_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "base/status.h"
#include "security/testing.h"

namespace kuma::security {
namespace {

using testing::ManualExecutor;

// Makes ECDSA keys, which cost nothing, and counts them.
struct Counter {
  std::shared_ptr<std::atomic<int>> made = std::make_shared<std::atomic<int>>(0);
  KeyPool::Generate generate() const {
    return [made = made] {
      ++*made;
      return PrivateKey::generate_ec();
    };
  }
};

// Threads that run work until they are joined.
class Threads final : public Executor {
 public:
  explicit Threads(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      threads_.emplace_back([this] { run(); });
    }
  }
  ~Threads() override {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }
  void post(std::function<void()> work) override {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(work));
    }
    changed_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return stopped_ || !queue_.empty(); });
      if (stopped_) {
        return;
      }
      const auto work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

TEST(KeyPool, Fills_its_stock_one_key_at_a_time_and_then_rests) {
  ManualExecutor executor;
  const Counter counter;
  const KeyPool pool(executor, {.ready_count = 3}, counter.generate());
  EXPECT_EQ(executor.size(), 1U);
  executor.run_all();
  EXPECT_EQ(pool.ready_count(), 3U);
  EXPECT_EQ(*counter.made, 3);
}

TEST(KeyPool, Makes_a_key_on_the_spot_when_the_stock_is_empty) {
  ManualExecutor executor;
  const Counter counter;
  KeyPool pool(executor, {.ready_count = 1}, counter.generate());
  EXPECT_TRUE(pool.take().ok());
  EXPECT_EQ(*counter.made, 1);
}

TEST(KeyPool, Gives_away_each_key_once_and_makes_the_next) {
  ManualExecutor executor;
  const Counter counter;
  KeyPool pool(executor, {.ready_count = 1}, counter.generate());
  std::set<std::string> seen;
  for (int i = 0; i < 5; ++i) {
    executor.run_all();
    seen.insert(pool.take()->to_pem());
  }
  EXPECT_EQ(seen.size(), 5U);
  EXPECT_EQ(*counter.made, 5);
}

TEST(KeyPool, Serves_those_who_wait_in_order_and_before_the_stock) {
  ManualExecutor executor;
  const Counter counter;
  KeyPool pool(executor, {.ready_count = 2}, counter.generate());
  std::vector<int> served;
  for (int i = 0; i < 3; ++i) {
    pool.take_async([&served, i](absl::StatusOr<PrivateKey> key) {
      EXPECT_TRUE(key.ok());
      served.push_back(i);
    });
  }
  EXPECT_TRUE(served.empty());
  executor.run_one();
  EXPECT_EQ(served, (std::vector<int>{0}));
  executor.run_all();
  EXPECT_EQ(served, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(pool.ready_count(), 2U);
}

TEST(KeyPool, Refuses_more_waiting_than_it_may_have) {
  ManualExecutor executor;
  KeyPool pool(executor, {.ready_count = 0, .waiting_max = 1}, Counter().generate());
  absl::Status first;
  absl::Status second;
  pool.take_async([&](absl::StatusOr<PrivateKey> key) { first = key.status(); });
  pool.take_async([&](absl::StatusOr<PrivateKey> key) { second = key.status(); });
  EXPECT_TRUE(absl::IsResourceExhausted(second));
  EXPECT_EQ(message_of(second), "more than 1 requests wait for a key; try again later");
  executor.run_all();
  EXPECT_TRUE(first.ok());
}

TEST(KeyPool, Tells_who_waits_that_no_key_could_be_made_and_tries_again_for_the_next) {
  ManualExecutor executor;
  bool broken = true;
  KeyPool pool(executor, {.ready_count = 1}, [&]() -> absl::StatusOr<PrivateKey> {
    return broken ? absl::InternalError("no entropy") : PrivateKey::generate_ec();
  });
  executor.run_all();  // does not spin on the failure
  EXPECT_EQ(pool.ready_count(), 0U);
  absl::Status status;
  pool.take_async([&](absl::StatusOr<PrivateKey> key) { status = key.status(); });
  executor.run_all();
  EXPECT_EQ(message_of(status), "no entropy");
  broken = false;
  pool.take_async([&](absl::StatusOr<PrivateKey> key) { status = key.status(); });
  executor.run_all();
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(pool.ready_count(), 1U);
}

TEST(KeyPool, Calls_nobody_after_stop_and_may_die_with_work_queued) {
  ManualExecutor executor;
  bool called = false;
  {
    KeyPool pool(executor, {}, Counter().generate());
    pool.take_async([&](absl::StatusOr<PrivateKey>) { called = true; });
    pool.stop();
    pool.take_async([&](absl::StatusOr<PrivateKey>) { called = true; });
  }
  executor.run_all();
  EXPECT_FALSE(called);
}

TEST(KeyPool, Gives_every_taker_of_many_threads_a_key_of_its_own) {
  constexpr size_t kThreads = 4;
  constexpr size_t kTakes = 200;
  Threads executor(2);
  KeyPool pool(executor, {.ready_count = 8}, Counter().generate());
  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::string> seen;
  const auto see = [&](const PrivateKey& key) {
    const std::lock_guard lock(mutex);
    seen.insert(key.to_pem());
    changed.notify_one();
  };
  std::vector<std::thread> takers;
  for (size_t i = 0; i < kThreads; ++i) {
    takers.emplace_back([&] {
      for (size_t j = 0; j < kTakes; ++j) {
        if (j % 2 == 0) {
          see(*pool.take());
        } else {
          pool.take_async([&](absl::StatusOr<PrivateKey> key) { see(*key); });
        }
      }
    });
  }
  for (std::thread& taker : takers) {
    taker.join();
  }
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(30), [&] { return seen.size() == kThreads * kTakes; }));
  lock.unlock();
  pool.stop();
}

TEST(KeyPool, Makes_rsa_keys_of_2048_bits_by_default) {
  ManualExecutor executor;
  KeyPool pool(executor, {.ready_count = 0});
  const auto key = pool.take();
  ASSERT_TRUE(key.ok());
  EXPECT_TRUE(key->is_rsa());
  EXPECT_EQ(key->bits(), 2048U);
}

}  // namespace
}  // namespace kuma::security
