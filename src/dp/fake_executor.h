#pragma once

#include <deque>
#include <map>
#include <memory>

#include "base/clock.h"
#include "base/executor.h"

namespace kuma::dp {

// For tests: an executor whose time moves when it is told to. Runs everything on the calling thread.
class FakeExecutor final : public TimerExecutor {
 public:
  const Clock& clock() const { return clock_; }

  void post(std::function<void()> work) override { posted_.push_back(std::move(work)); }
  [[nodiscard]] std::shared_ptr<void> post_after(std::chrono::nanoseconds delay, std::function<void()> work) override {
    auto timer = std::make_shared<std::function<void()>>(std::move(work));
    timers_.emplace(clock_.monotonic_now() + delay, timer);
    auto* const handle = timer.get();
    return std::shared_ptr<void>(handle, [timer](void*) { *timer = nullptr; });
  }

  // Runs what is due within the next `by`, in order, with the clock at its time.
  void advance(std::chrono::nanoseconds by) {
    const MonotonicTime end = clock_.monotonic_now() + by;
    run_posted();
    while (!timers_.empty() && timers_.begin()->first <= end) {
      const auto [time, timer] = *timers_.begin();
      timers_.erase(timers_.begin());
      clock_.advance(time - clock_.monotonic_now());
      if (const auto work = std::exchange(*timer, nullptr)) {
        work();
      }
      run_posted();
    }
    clock_.advance(end - clock_.monotonic_now());
  }

 private:
  void run_posted() {
    while (!posted_.empty()) {
      const auto work = std::move(posted_.front());
      posted_.pop_front();
      work();
    }
  }

  ManualClock clock_;
  std::deque<std::function<void()>> posted_;
  std::multimap<MonotonicTime, std::shared_ptr<std::function<void()>>> timers_;
};

}  // namespace kuma::dp
