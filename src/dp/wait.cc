#include "dp/wait.h"

#include "base/status.h"
#include "base/text.h"

namespace kuma::dp {

absl::Status wait_until_ready(const WaitCommand& wait, const WaitActions& actions, const Clock& clock, Log& log) {
  log.info("wait", "waiting for the proxy to be ready",
           {{"url", wait.url}, {"timeout", format_go_duration(wait.timeout)}});
  const MonotonicTime deadline = clock.monotonic_now() + wait.timeout;
  while (true) {
    const auto answer = actions.get(wait.url, wait.request_timeout);
    if (answer.ok() && answer->status == 200) {
      log.info("wait", "the proxy is ready");
      return absl::OkStatus();
    }
    const std::string problem =
        answer.ok() ? fmt::format("it answered {}", answer->status) : std::string(message_of(answer.status()));
    if (clock.monotonic_now() + wait.check_frequency > deadline) {
      return absl::DeadlineExceededError(
          fmt::format("{} was not ready within {}: {}", wait.url, format_go_duration(wait.timeout), problem));
    }
    log.info("wait", "not ready yet", {{"problem", problem}});
    actions.pause(wait.check_frequency);
  }
}

}  // namespace kuma::dp
