#include "xds/server/push_scheduler.h"

#include "gtest/gtest.h"

namespace kuma::xds {
namespace {

using namespace std::chrono_literals;
using Reason = PushScheduler::Reason;

ProxyKey proxy(const std::string& name) { return {ProxyType::Dataplane, {"default", name}}; }

class PushSchedulerTest : public ::testing::Test {
 protected:
  void mark(const std::string& name, Reason reason = Reason::Change, const PropagationPtr& propagation = nullptr) {
    scheduler_.mark(proxy(name), reason, propagation);
  }
  // The name of the next one, which is then at work; empty for none.
  std::string take() {
    auto work = scheduler_.take_next(clock_.monotonic_now());
    last_ = work ? *work : PushScheduler::Work{};
    return work ? work->proxy.key.name : "";
  }
  void push(const std::string& name) {
    scheduler_.done(proxy(name));
    scheduler_.sent(proxy(name), clock_.monotonic_now());
  }

  ManualClock clock_;
  PushScheduler scheduler_{{.ack_wait_max = 5s}};
  PushScheduler::Work last_;
};

TEST_F(PushSchedulerTest, Hands_out_who_has_waited_longest) {
  mark("b");
  mark("a");
  mark("b");
  EXPECT_EQ(take(), "b");
  EXPECT_EQ(take(), "a");
  EXPECT_EQ(take(), "");
}

TEST_F(PushSchedulerTest, Merges_marks_of_a_proxy) {
  for (int i = 0; i < 1000; ++i) {
    mark("a");
  }
  EXPECT_EQ(scheduler_.marked_count(), 1U);
  EXPECT_EQ(take(), "a");
  scheduler_.done(proxy("a"));
  EXPECT_EQ(take(), "");
}

TEST_F(PushSchedulerTest, A_proxy_is_with_one_worker_at_a_time) {
  mark("a");
  EXPECT_EQ(take(), "a");
  mark("a");
  EXPECT_EQ(take(), "");
  scheduler_.done(proxy("a"));
  EXPECT_EQ(take(), "a");
}

TEST_F(PushSchedulerTest, A_proxy_that_has_not_answered_waits_until_it_does) {
  mark("a");
  take();
  push("a");
  mark("a");
  mark("b");
  EXPECT_EQ(take(), "b");
  EXPECT_EQ(take(), "");
  EXPECT_FALSE(scheduler_.has_ready());
  scheduler_.acknowledged(proxy("a"));
  EXPECT_TRUE(scheduler_.has_ready());
  EXPECT_EQ(take(), "a");
}

TEST_F(PushSchedulerTest, A_proxy_that_never_answers_is_taken_up_after_a_while) {
  mark("a");
  take();
  push("a");
  EXPECT_FALSE(scheduler_.wake_at());  // nothing to do for it
  mark("a");
  ASSERT_TRUE(scheduler_.wake_at());
  EXPECT_EQ(*scheduler_.wake_at() - clock_.monotonic_now(), 5s);
  clock_.advance(4s);
  EXPECT_EQ(take(), "");
  clock_.advance(1s);
  EXPECT_EQ(take(), "a");
  EXPECT_FALSE(scheduler_.wake_at());
}

TEST_F(PushSchedulerTest, Who_waited_for_an_answer_keeps_its_place) {
  mark("a");
  take();
  push("a");
  mark("a");
  mark("b");
  scheduler_.acknowledged(proxy("a"));
  EXPECT_EQ(take(), "a");
  EXPECT_EQ(take(), "b");
}

TEST_F(PushSchedulerTest, A_later_push_starts_the_wait_anew) {
  mark("a");
  take();
  push("a");
  clock_.advance(3s);
  scheduler_.sent(proxy("a"), clock_.monotonic_now());
  mark("a");
  clock_.advance(3s);
  EXPECT_EQ(take(), "");
  clock_.advance(2s);
  EXPECT_EQ(take(), "a");
}

TEST_F(PushSchedulerTest, Knows_when_nothing_but_a_resync_asked_for_it) {
  mark("a", Reason::Resync);
  take();
  EXPECT_TRUE(last_.only_resync);
  scheduler_.done(proxy("a"));
  mark("a", Reason::Resync);
  mark("a", Reason::Change);
  mark("a", Reason::Resync);
  take();
  EXPECT_FALSE(last_.only_resync);
}

TEST_F(PushSchedulerTest, Carries_the_changes_that_it_is_about) {
  const auto first = std::make_shared<Propagation>(MonotonicTime{}, observe::Histogram());
  const auto second = std::make_shared<Propagation>(MonotonicTime{}, observe::Histogram());
  mark("a", Reason::Change, first);
  mark("a", Reason::Change, second);
  take();
  EXPECT_EQ(last_.propagations, std::vector({first, second}));
  scheduler_.done(proxy("a"));
  mark("a");
  take();
  EXPECT_TRUE(last_.propagations.empty());
}

TEST_F(PushSchedulerTest, Carries_so_many_changes_and_no_more) {
  for (size_t i = 0; i < kPropagationsMax + 10; ++i) {
    mark("a", Reason::Change, std::make_shared<Propagation>(MonotonicTime{}, observe::Histogram()));
  }
  take();
  EXPECT_EQ(last_.propagations.size(), kPropagationsMax);
}

TEST_F(PushSchedulerTest, Forgets_a_proxy_that_has_gone) {
  mark("a");
  mark("b");
  take();
  push("a");
  mark("a");
  scheduler_.forget(proxy("a"));
  scheduler_.forget(proxy("b"));
  scheduler_.forget(proxy("c"));
  scheduler_.done(proxy("a"));
  scheduler_.acknowledged(proxy("a"));
  EXPECT_EQ(take(), "");
  EXPECT_EQ(scheduler_.marked_count(), 0U);
  EXPECT_FALSE(scheduler_.wake_at());
}

}  // namespace
}  // namespace kuma::xds
