#pragma once

#include <functional>
#include <map>
#include <memory>

#include "base/clock.h"
#include "base/executor.h"

namespace kuma::insight::testing {

// An executor whose time stands still until a test moves it. One thread: the test's.
class SimulatedExecutor final : public TimerExecutor {
 public:
  explicit SimulatedExecutor(ManualClock& clock) : clock_(clock) {}

  void post(std::function<void()> work) override { *add(std::chrono::nanoseconds(0)) = std::move(work); }

  std::shared_ptr<void> post_after(std::chrono::nanoseconds delay, std::function<void()> work) override {
    const auto entry = add(delay);
    *entry = std::move(work);
    return std::shared_ptr<void>(entry.get(), [entry](void*) { *entry = nullptr; });
  }

  // Runs all that is due, and what becomes due by it.
  void run() {
    while (!due_.empty() && due_.begin()->first <= clock_.monotonic_now()) {
      const auto node = due_.extract(due_.begin());
      const std::function<void()> work = std::exchange(*node.mapped(), nullptr);
      if (work) {
        work();
      }
    }
  }

  // Moves on to `duration` later, running on the way what is due when it is due.
  void advance(std::chrono::nanoseconds duration) {
    const MonotonicTime end = clock_.monotonic_now() + duration;
    run();
    while (!due_.empty() && due_.begin()->first <= end) {
      clock_.advance(due_.begin()->first - clock_.monotonic_now());
      run();
    }
    clock_.advance(end - clock_.monotonic_now());
  }

 private:
  std::shared_ptr<std::function<void()>> add(std::chrono::nanoseconds delay) {
    auto entry = std::make_shared<std::function<void()>>();
    due_.emplace(clock_.monotonic_now() + std::max(delay, std::chrono::nanoseconds(0)), entry);
    return entry;
  }

  ManualClock& clock_;
  std::multimap<MonotonicTime, std::shared_ptr<std::function<void()>>> due_;
};

}  // namespace kuma::insight::testing
