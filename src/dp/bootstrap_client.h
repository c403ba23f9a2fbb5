#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/executor.h"
#include "dp/bootstrap.h"
#include "dp/log.h"

namespace kuma::dp {

// One attempt: posts the request and hands over the answer, on the executor of the client. Dropped when it is
// cancelled.
using PostBootstrap = std::function<void(std::function<void(absl::StatusOr<HttpAnswer>)> done)>;

// Asks the control plane for the bootstrap until it has it, may not have it, or has tried long enough.
//
// Life: start(), then `done` once, unless cancel() comes first: then it is called with Cancelled. Pauses are constant;
// the total time is looked at between attempts, so that an attempt is always finished.
//
// Thread: the executor's.
class BootstrapClient {
 public:
  struct Limits {
    std::chrono::nanoseconds backoff{};
    std::chrono::nanoseconds duration_max{};
  };
  using Done = std::function<void(absl::StatusOr<Bootstrap>)>;

  BootstrapClient(TimerExecutor& executor, const Clock& clock, Log& log, Limits limits, PostBootstrap post);

  void start(Done done);
  void cancel();

 private:
  void attempt();
  void on_answer(const absl::StatusOr<HttpAnswer>& answer);
  void refuse(const Refusal& refusal);
  void finish(absl::StatusOr<Bootstrap> result);

  TimerExecutor& executor_;
  const Clock& clock_;
  Log& log_;
  const Limits limits_;
  const PostBootstrap post_;
  Done done_;  // empty before start() and after the end
  MonotonicTime started_{};
  std::shared_ptr<void> timer_;
  std::shared_ptr<bool> alive_;  // answers that come after the end find it expired
};

}  // namespace kuma::dp
