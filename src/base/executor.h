#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace kuma {

// Somewhere to run a function later: a net loop, a worker pool, a simulation. Functions posted to one executor from one
// thread run in order where the executor has a single thread.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(std::function<void()> work) = 0;
};

// A single thread with timers: what state machines with deadlines live on.
class TimerExecutor : public Executor {
 public:
  // Runs `work` after `delay`. The handle cancels it when it is reset or dropped; both on this executor's thread.
  [[nodiscard]] virtual std::shared_ptr<void> post_after(std::chrono::nanoseconds delay, std::function<void()> work) = 0;
};

}  // namespace kuma
