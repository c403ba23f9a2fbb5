#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/executor.h"
#include "dp/fd.h"

namespace kuma::dp {

// The program's main thread as an executor: timers, functions posted from other threads, and signals, which arrive as
// calls instead of interrupting anything.
//
// Life: make() before any other thread is started (it blocks the signals, and threads inherit that), run() until
// stop().
class MainLoop final : public TimerExecutor {
 public:
  static absl::StatusOr<std::unique_ptr<MainLoop>> make(const Clock& clock);
  ~MainLoop() override;

  void post(std::function<void()> work) override;  // any thread
  [[nodiscard]] std::shared_ptr<void> post_after(std::chrono::nanoseconds delay, std::function<void()> work) override;

  // Called for SIGINT, SIGTERM and SIGCHLD. Set before run().
  void on_signal(std::function<void(int signal)> handler) { on_signal_ = std::move(handler); }

  void run();
  void stop() { running_ = false; }

 private:
  struct Timer {
    std::function<void()> work;  // empty: cancelled
  };

  MainLoop(const Clock& clock, Fd signals, Fd wakeup);
  int poll_timeout_ms() const;
  void run_signals();
  void run_posted();
  void run_timers();

  const Clock& clock_;
  Fd signals_;
  Fd wakeup_;
  bool running_ = true;
  std::function<void(int)> on_signal_;
  std::multimap<MonotonicTime, std::shared_ptr<Timer>> timers_;
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by posted_mutex_
};

}  // namespace kuma::dp
