#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/executor.h"

namespace kuma::insight {

// Runs something each `period` on an executor, the first time after one period, until it is dropped (there, or when the
// executor has ended).
class Periodic : public std::enable_shared_from_this<Periodic> {
 public:
  Periodic(TimerExecutor& executor, std::chrono::nanoseconds period, std::function<void()> work)
      : executor_(executor), period_(period), work_(std::move(work)) {}

  // Any thread, once.
  void start() {
    executor_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->schedule();
      }
    });
  }

 private:
  void schedule() {
    timer_ = executor_.post_after(period_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->work_();
        self->schedule();
      }
    });
  }

  TimerExecutor& executor_;
  const std::chrono::nanoseconds period_;
  const std::function<void()> work_;
  std::shared_ptr<void> timer_;
};

}  // namespace kuma::insight
