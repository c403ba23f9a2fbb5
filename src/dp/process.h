#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "dp/fd.h"
#include "dp/supervisor.h"

namespace kuma::dp {

// A program started by us: leader of a process group of its own, so that a Ctrl-C at the terminal does not reach it and
// so that whatever it starts ends with it. It gets SIGKILL when the thread that started it ends, so start it from one
// that lives as long as the program.
//
// Destroying it kills the group and waits: no process is left behind.
class ChildProcess {
 public:
  struct Options {
    std::string program;                 // path
    std::vector<std::string> arguments;  // without the program's name
    bool capture_stdout = false;
    bool capture_stderr = false;
  };

  // Returns when the program runs; a program that cannot be executed is an error here: `fork/exec /x: permission
  // denied`.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> start(const Options& options);
  // Takes over a child that leads a process group; start() is the way to get one.
  explicit ChildProcess(pid_t pid) : pid_(pid) {}
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // The reading ends of what was captured; may be taken once.
  Fd take_stdout() { return std::move(stdout_); }
  Fd take_stderr() { return std::move(stderr_); }

  // To the whole group; nothing once the leader has been waited for.
  void signal_group(int signal);
  // Whether the program has ended; if so, kills what is left of its group and takes its status.
  std::optional<ExitStatus> try_wait();
  ExitStatus wait();

 private:
  ExitStatus reap();

  pid_t pid_;
  bool reaped_ = false;
  Fd stdout_;
  Fd stderr_;
};

struct CaptureLimits {
  std::chrono::milliseconds timeout{10'000};
  size_t size_max = 64 * 1024;
};
// Runs a program to its end and returns what it wrote to standard output. DeadlineExceeded, ResourceExhausted past the
// limits; Unknown when it ends with another status than 0.
absl::StatusOr<std::string> run_and_capture(const Clock& clock, const std::string& program,
                                            const std::vector<std::string>& arguments, CaptureLimits limits = {});

}  // namespace kuma::dp
