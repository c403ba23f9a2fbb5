#include "kds/strand.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <thread>
#include <vector>

namespace kuma::kds {
namespace {

using ::testing::ElementsAre;

// Holds what is posted until it is told to do it, or to drop it.
class Held final : public Executor {
 public:
  void post(std::function<void()> work) override { works.push_back(std::move(work)); }
  void run_all() {
    while (!works.empty()) {
      const auto work = std::move(works.front());
      works.erase(works.begin());
      work();
    }
  }
  std::vector<std::function<void()>> works;
};

class Threads final : public Executor {
 public:
  ~Threads() override {
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }
  // From one thread at a time: the strand's turns follow one another.
  void post(std::function<void()> work) override {
    const std::lock_guard lock(mutex_);
    threads_.emplace_back(std::move(work));
  }

 private:
  std::mutex mutex_;
  std::deque<std::thread> threads_;
};

TEST(Strand, Lets_go_of_its_owner_when_the_executor_drops_what_waits) {
  struct Owner {
    std::shared_ptr<Strand> strand;
  };
  Held executor;
  auto owner = std::make_shared<Owner>();
  owner->strand = std::make_shared<Strand>(executor);
  for (int i = 0; i < 3; ++i) {
    owner->strand->post([owner] {});
  }
  const std::weak_ptr<Owner> left = owner;
  owner.reset();
  EXPECT_FALSE(left.expired());
  executor.works.clear();
  EXPECT_TRUE(left.expired());
}

TEST(Strand, Takes_work_again_after_the_executor_dropped_some) {
  Held executor;
  const auto strand = std::make_shared<Strand>(executor);
  int done = 0;
  strand->post([&] { done += 100; });
  executor.works.clear();
  strand->post([&] { ++done; });
  executor.run_all();
  EXPECT_EQ(done, 1);
}

TEST(Strand, Does_one_piece_a_turn_in_order_also_what_is_posted_meanwhile) {
  Held executor;
  const auto strand = std::make_shared<Strand>(executor);
  std::vector<int> done;
  strand->post([&] {
    done.push_back(1);
    strand->post([&] { done.push_back(3); });
  });
  strand->post([&] { done.push_back(2); });
  EXPECT_EQ(executor.works.size(), 1U);
  executor.run_all();
  EXPECT_THAT(done, ElementsAre(1, 2, 3));
}

TEST(Strand, Never_does_two_pieces_at_once_on_many_threads) {
  int done = 0;  // not atomic on purpose
  {
    Threads executor;
    const auto strand = std::make_shared<Strand>(executor);
    std::vector<std::thread> posters;
    for (int i = 0; i < 4; ++i) {
      posters.emplace_back([&] {
        for (int k = 0; k < 50; ++k) {
          strand->post([&] { ++done; });
        }
      });
    }
    for (std::thread& poster : posters) {
      poster.join();
    }
    std::mutex mutex;
    std::condition_variable changed;
    bool last = false;
    strand->post([&] {
      const std::lock_guard lock(mutex);
      last = true;
      changed.notify_one();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return last; });
  }
  EXPECT_EQ(done, 200);
}

}  // namespace
}  // namespace kuma::kds
