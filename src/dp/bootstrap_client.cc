#include "dp/bootstrap_client.h"

#include <algorithm>

#include "base/status.h"
#include "base/text.h"

namespace kuma::dp {

BootstrapClient::BootstrapClient(TimerExecutor& executor, const Clock& clock, Log& log, Limits limits,
                                 PostBootstrap post)
    : executor_(executor), clock_(clock), log_(log), limits_(limits), post_(std::move(post)) {}

void BootstrapClient::start(Done done) {
  done_ = std::move(done);
  started_ = clock_.monotonic_now();
  alive_ = std::make_shared<bool>(true);
  attempt();
}

void BootstrapClient::cancel() {
  if (done_) {
    finish(absl::CancelledError("context canceled"));
  }
}

void BootstrapClient::attempt() {
  timer_.reset();
  post_([this, alive = std::weak_ptr<bool>(alive_)](const absl::StatusOr<HttpAnswer>& answer) {
    if (!alive.expired()) {
      on_answer(answer);
    }
  });
}

void BootstrapClient::on_answer(const absl::StatusOr<HttpAnswer>& answer) {
  if (!answer.ok()) {
    refuse(interpret_failure(message_of(answer.status())));
    return;
  }
  if (answer->status != 200) {
    refuse(interpret_refusal(*answer));
    return;
  }
  auto bootstrap = parse_bootstrap(answer->body);
  if (!bootstrap.ok()) {
    // A control plane that is being replaced, or something else on its port: worth another look.
    refuse(interpret_failure(message_of(bootstrap.status())));
    return;
  }
  finish(std::move(bootstrap));
}

void BootstrapClient::refuse(const Refusal& refusal) {
  const auto left = limits_.duration_max - (clock_.monotonic_now() - started_);
  if (!refusal.retry || left <= std::chrono::nanoseconds(0)) {
    finish(absl::UnavailableError(refusal.message));
    return;
  }
  const auto pause = std::min<std::chrono::nanoseconds>(limits_.backoff, left);
  log_.info("run", refusal.log, {{"backoff", format_go_duration(pause)}, {"err", refusal.message}});
  timer_ = executor_.post_after(pause, [this] { attempt(); });
}

void BootstrapClient::finish(absl::StatusOr<Bootstrap> result) {
  alive_.reset();
  timer_.reset();
  const Done done = std::exchange(done_, nullptr);
  if (!result.ok()) {
    result = absl::Status(result.status().code(),
                          fmt::format("Failed to generate Envoy bootstrap config. {}", message_of(result.status())));
  }
  done(std::move(result));
}

}  // namespace kuma::dp
