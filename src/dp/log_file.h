#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "dp/fd.h"

namespace kuma::dp {

// A log file that is put aside when it is full: `name.log` becomes `name-2021-06-07T09-15-18.265.log`, and the oldest
// of those are removed. Not thread-safe: Log calls it from one thread at a time.
class LogFile {
 public:
  struct Limits {
    uint64_t size_max = 100 * 1024 * 1024;
    uint64_t files_max = 1000;                                       // put aside; 0: no bound
    std::chrono::nanoseconds age_max = std::chrono::hours(24 * 30);  // 0: no bound
  };

  static absl::StatusOr<std::unique_ptr<LogFile>> open(const Clock& clock, const std::string& path, Limits limits);

  // A line that cannot be written (a full disk) is lost; the program goes on.
  void write(std::string_view line);

 private:
  LogFile(const Clock& clock, std::string path, Limits limits)
      : clock_(clock), path_(std::move(path)), limits_(limits) {}
  absl::Status reopen();
  void rotate();
  void remove_old();

  const Clock& clock_;
  const std::string path_;
  const Limits limits_;
  Fd fd_;
  uint64_t size_ = 0;
};

}  // namespace kuma::dp
