#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace kuma::store {

// Makes this process the only user of a file as long as the handle lives: a kernel lock on `<file>.lock`, in which the
// owner writes who it is. The kernel lets go when the process ends in whatever way, so a lock file that was left behind
// blocks nobody.
class FileLock {
 public:
  // FailedPrecondition when somebody else has it: `store file F is in use by process 7 (instance I), since T: …`.
  static absl::StatusOr<std::unique_ptr<FileLock>> acquire(const std::filesystem::path& file, std::string_view instance,
                                                           const Clock& clock);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace kuma::store
