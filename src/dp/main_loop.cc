#include "dp/main_loop.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/errno_text.h"
#include "base/status.h"
#include "dp/files.h"

namespace kuma::dp {
namespace {

sigset_t our_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGCHLD}) {
    ::sigaddset(&signals, signal);
  }
  return signals;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MainLoop>> MainLoop::make(const Clock& clock) {
  const sigset_t signals = our_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Fd signal_fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  Fd wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!signal_fd.is_open() || !wakeup.is_open()) {
    return absl::ResourceExhaustedError(fmt::format("could not set up signals: {}", errno_text(errno)));
  }
  return std::unique_ptr<MainLoop>(new MainLoop(clock, std::move(signal_fd), std::move(wakeup)));
}

MainLoop::MainLoop(const Clock& clock, Fd signals, Fd wakeup)
    : clock_(clock), signals_(std::move(signals)), wakeup_(std::move(wakeup)) {}

MainLoop::~MainLoop() {
  const sigset_t signals = our_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void MainLoop::post(std::function<void()> work) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(work));
  }
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wakeup_.get(), &one, sizeof one);
}

std::shared_ptr<void> MainLoop::post_after(std::chrono::nanoseconds delay, std::function<void()> work) {
  auto timer = std::make_shared<Timer>(Timer{std::move(work)});
  timers_.emplace(clock_.monotonic_now() + delay, timer);
  Timer* const handle = timer.get();
  return std::shared_ptr<void>(handle, [timer = std::move(timer)](void*) { timer->work = nullptr; });
}

int MainLoop::poll_timeout_ms() const {
  if (timers_.empty()) {
    return -1;
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - clock_.monotonic_now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 3'600'000));
}

void MainLoop::run() {
  while (running_) {
    std::array<pollfd, 2> ready = {pollfd{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                                   pollfd{.fd = wakeup_.get(), .events = POLLIN, .revents = 0}};
    ::poll(ready.data(), ready.size(), poll_timeout_ms());
    run_signals();
    run_posted();
    run_timers();
  }
}

void MainLoop::run_signals() {
  signalfd_siginfo info{};
  while (running_ && ::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (on_signal_) {
      on_signal_(static_cast<int>(info.ssi_signo));
    }
  }
}

void MainLoop::run_posted() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t size = ::read(wakeup_.get(), &count, sizeof count);
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(posted_mutex_);
    work.swap(posted_);
  }
  for (const auto& function : work) {
    if (!running_) {
      return;
    }
    function();
  }
}

void MainLoop::run_timers() {
  while (running_ && !timers_.empty() && timers_.begin()->first <= clock_.monotonic_now()) {
    const std::shared_ptr<Timer> timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    if (const auto work = std::exchange(timer->work, nullptr)) {
      work();
    }
  }
}

}  // namespace kuma::dp
