#include "dp/supervisor.h"

#include <csignal>
#include <cstring>

#include "base/status.h"
#include "base/text.h"

namespace kuma::dp {
namespace {

std::string signal_text(int signal) {
  std::string text = ::strsignal(signal);
  if (!text.empty()) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

}  // namespace

std::string ExitStatus::text() const {
  return signal != 0 ? fmt::format("signal: {}", signal_text(signal)) : fmt::format("exit status {}", code);
}

Supervisor::Supervisor(TimerExecutor& executor, Log& log, Times times, SupervisorActions& actions)
    : executor_(executor), log_(log), times_(times), actions_(actions), alive_(std::make_shared<bool>(true)) {}

void Supervisor::on_signal() {
  if (phase_ == Phase::Ended) {
    return;
  }
  ++signals_;
  if (signals_ >= 3) {
    log_.error("run", "force exit");
    actions_.signal_child(SIGKILL);
    finish(absl::AbortedError("force exit"));
  } else if (phase_ == Phase::Running) {
    ask_to_drain();
  } else if (!is_stopping()) {
    log_.info("run", "received second signal, stopping without waiting for connections");
    stop();
  } else {
    log_.info("run", "already stopping; one more signal ends it by force");
  }
}

void Supervisor::ask_to_drain() {
  log_.info("run", "received signal, stopping instance gracefully");
  phase_ = Phase::AskingToDrain;
  actions_.begin_terminating();
  actions_.fail_health_check([this, alive = std::weak_ptr<bool>(alive_)](const absl::Status& status) {
    if (!alive.expired()) {
      on_drain_asked(status);
    }
  });
}

void Supervisor::on_drain_asked(const absl::Status& status) {
  if (phase_ != Phase::AskingToDrain) {
    return;
  }
  if (!status.ok()) {
    log_.error("run", "could not drain connections", {{"error", message_of(status)}});
    stop();
    return;
  }
  phase_ = Phase::Draining;
  log_.info("run", "waiting for connections to be drained", {{"waitTime", format_go_duration(times_.drain)}});
  timer_ = executor_.post_after(times_.drain, [this] { stop(); });
}

void Supervisor::on_child_exit(ExitStatus status) {
  if (phase_ == Phase::Ended) {
    return;
  }
  child_alive_ = false;
  if (is_stopping()) {
    finish(result_);
    return;
  }
  if (status.ok()) {
    log_.info("run.envoy", "Envoy terminated successfully");
  } else {
    log_.error("run.envoy", "Envoy terminated with an error", {{"error", status.text()}});
    result_ = absl::UnknownError(status.text());
  }
  stop();
}

void Supervisor::on_component_failed(std::string_view component, const absl::Status& status) {
  if (is_stopping()) {
    return;
  }
  log_.error("run", "component failed", {{"component", component}, {"error", message_of(status)}});
  result_ = status;
  stop();
}

void Supervisor::stop() {
  phase_ = Phase::Stopping;
  log_.info("run", "stopping all Kuma DP components");
  actions_.stop_components();
  if (!child_alive_) {
    finish(result_);
    return;
  }
  actions_.signal_child(SIGTERM);
  timer_ = executor_.post_after(times_.kill, [this] { kill(); });
}

void Supervisor::kill() {
  phase_ = Phase::Killing;
  log_.error("run.envoy", "Envoy did not end in time, killing it", {{"waitTime", format_go_duration(times_.kill)}});
  actions_.signal_child(SIGKILL);
}

void Supervisor::finish(absl::Status result) {
  phase_ = Phase::Ended;
  timer_.reset();
  alive_.reset();
  log_.info("run", "stopping Kuma DP");
  actions_.ended(std::move(result));
}

}  // namespace kuma::dp
