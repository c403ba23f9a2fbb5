#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/executor.h"
#include "dp/log.h"

namespace kuma::dp {

using namespace std::chrono_literals;

// How a child process ended.
struct ExitStatus {
  int code = 0;    // when it exited by itself
  int signal = 0;  // non-zero: killed by it

  bool ok() const { return code == 0 && signal == 0; }
  std::string text() const;  // "exit status 1", "signal: killed"
};

// What the supervisor can do; the process and network side of it. Called on the supervisor's executor.
class SupervisorActions {
 public:
  virtual ~SupervisorActions() = default;
  virtual void begin_terminating() = 0;  // readiness says TERMINATING from now on
  // Asks Envoy to fail its health checks, so that others stop using it.
  virtual void fail_health_check(std::function<void(absl::Status)> done) = 0;
  virtual void stop_components() = 0;           // the helpers
  virtual void signal_child(int signal) = 0;    // Envoy and all its process group
  virtual void ended(absl::Status result) = 0;  // exactly once, the last call
};

// The life of a running proxy from the start of Envoy to the end of everything.
//
//   Running ──signal──► AskingToDrain ──asked──► Draining ──time──► Stopping ──5 s──► Killing
//      │                    │ refused, 2nd signal    │ 2nd signal      │ Envoy ended     │ Envoy ended
//      └──── Envoy or a helper ended ────────────────┴────────────────►┴────► Ended ◄────┘
//
// The third signal ends everything at once, whatever the state. The result is OK if we were told to stop or Envoy ended
// with status 0, else what went wrong first.
//
// Thread: the executor's. Holds no process and no socket, so tests drive it with a fake executor.
class Supervisor {
 public:
  struct Times {
    std::chrono::nanoseconds drain = 30s;
    std::chrono::nanoseconds kill = 5s;  // between SIGTERM and SIGKILL
  };

  Supervisor(TimerExecutor& executor, Log& log, Times times, SupervisorActions& actions);

  void on_signal();
  void on_child_exit(ExitStatus status);
  void on_component_failed(std::string_view component, const absl::Status& status);
  bool is_ended() const { return phase_ == Phase::Ended; }

 private:
  enum class Phase { Running, AskingToDrain, Draining, Stopping, Killing, Ended };

  void ask_to_drain();
  void on_drain_asked(const absl::Status& status);
  void stop();
  void kill();
  void finish(absl::Status result);
  bool is_stopping() const { return phase_ >= Phase::Stopping; }

  TimerExecutor& executor_;
  Log& log_;
  const Times times_;
  SupervisorActions& actions_;
  Phase phase_ = Phase::Running;
  bool child_alive_ = true;
  int signals_ = 0;
  absl::Status result_;
  std::shared_ptr<void> timer_;
  std::shared_ptr<bool> alive_;  // the answer to fail_health_check() may come after our end
};

}  // namespace kuma::dp
