#include "dp/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/errno_text.h"
#include "base/status.h"
#include "dp/files.h"

namespace kuma::dp {
namespace {

constexpr int kExitPollMs = 2;
constexpr int kOutputPollMs = 50;

struct Pipe {
  Fd read_end;
  Fd write_end;
};

absl::StatusOr<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(fmt::format("pipe: {}", errno_text(errno)));
  }
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

// Between fork and exec only system calls are allowed: another thread may have held any lock.
struct ChildPlan {
  const char* program;
  char* const* argv;
  pid_t parent;
  int stdout_fd;  // -1: ours
  int stderr_fd;
  int report_fd;  // gets errno if exec fails, closed by exec otherwise
};

[[noreturn]] void become_child(const ChildPlan& plan) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) {
    ::_exit(127);  // the parent died before we could say that we die with it
  }
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGHUP}) {
    ::signal(signal, SIG_DFL);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (plan.stdout_fd >= 0) {
    ::dup2(plan.stdout_fd, STDOUT_FILENO);
  }
  if (plan.stderr_fd >= 0) {
    ::dup2(plan.stderr_fd, STDERR_FILENO);
  }
  ::execv(plan.program, plan.argv);
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(plan.report_fd, &error, sizeof error);
  ::_exit(127);
}

std::vector<char*> make_argv(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  argv.push_back(const_cast<char*>(program.c_str()));
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  return argv;
}

ExitStatus to_exit_status(int status) {
  return WIFSIGNALED(status) ? ExitStatus{.code = 0, .signal = WTERMSIG(status)}
                             : ExitStatus{.code = WEXITSTATUS(status), .signal = 0};
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::start(const Options& options) {
  Pipe out;
  Pipe err;
  KUMA_ASSIGN_OR_RETURN(Pipe report, make_pipe());
  if (options.capture_stdout) {
    KUMA_ASSIGN_OR_RETURN(out, make_pipe());
  }
  if (options.capture_stderr) {
    KUMA_ASSIGN_OR_RETURN(err, make_pipe());
  }
  const std::vector<char*> argv = make_argv(options.program, options.arguments);
  const ChildPlan plan{.program = options.program.c_str(),
                       .argv = argv.data(),
                       .parent = ::getpid(),
                       .stdout_fd = out.write_end.get(),
                       .stderr_fd = err.write_end.get(),
                       .report_fd = report.write_end.get()};
  const pid_t pid = ::fork();
  if (pid < 0) {
    return absl::ResourceExhaustedError(fmt::format("fork/exec {}: {}", options.program, errno_text(errno)));
  }
  if (pid == 0) {
    become_child(plan);
  }
  ::setpgid(pid, pid);  // here as well, so that the group exists whoever is first
  auto child = std::make_unique<ChildProcess>(pid);
  report.write_end.reset();
  int error = 0;
  ssize_t count = 0;
  do {
    count = ::read(report.read_end.get(), &error, sizeof error);
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    child->wait();
    return absl::NotFoundError(fmt::format("fork/exec {}: {}", options.program, errno_text(error)));
  }
  child->stdout_ = std::move(out.read_end);
  child->stderr_ = std::move(err.read_end);
  return child;
}

ChildProcess::~ChildProcess() {
  if (!reaped_) {
    signal_group(SIGKILL);
    wait();
  }
}

void ChildProcess::signal_group(int signal) {
  if (!reaped_) {
    ::kill(-pid_, signal);
  }
}

std::optional<ExitStatus> ChildProcess::try_wait() {
  siginfo_t info{};
  if (reaped_ || ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      info.si_pid == 0) {
    return std::nullopt;
  }
  return reap();
}

ExitStatus ChildProcess::wait() {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  return reap();
}

ExitStatus ChildProcess::reap() {
  // While the leader waits to be reaped nobody else can get the group's number.
  ::kill(-pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
  return to_exit_status(status);
}

absl::StatusOr<std::string> run_and_capture(const Clock& clock, const std::string& program,
                                            const std::vector<std::string>& arguments, CaptureLimits limits) {
  KUMA_ASSIGN_OR_RETURN(
      auto child, ChildProcess::start(
                      {.program = program, .arguments = arguments, .capture_stdout = true, .capture_stderr = false}));
  const MonotonicTime deadline = clock.monotonic_now() + limits.timeout;
  const Fd output = child->take_stdout();
  std::string text;
  std::array<char, 4096> buffer;
  bool open = true;
  // Until the program has closed its output and ended; it may do the one without the other.
  while (clock.monotonic_now() < deadline) {
    if (!open) {
      if (const auto status = child->try_wait()) {
        return status->ok() ? absl::StatusOr<std::string>(std::move(text))
                            : absl::UnknownError(fmt::format("{}: {}", program, status->text()));
      }
      ::poll(nullptr, 0, kExitPollMs);
      continue;
    }
    pollfd ready{.fd = output.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, kOutputPollMs) <= 0) {
      continue;
    }
    const ssize_t size = ::read(output.get(), buffer.data(), buffer.size());
    open = size > 0;
    text.append(buffer.data(), open ? static_cast<size_t>(size) : 0);
    if (text.size() > limits.size_max) {
      return absl::ResourceExhaustedError(fmt::format("{} wrote more than {} bytes", program, limits.size_max));
    }
  }
  return absl::DeadlineExceededError(fmt::format("{} did not end within {} ms", program, limits.timeout.count()));
}

}  // namespace kuma::dp
