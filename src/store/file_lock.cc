#include "store/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "base/text.h"
#include "fmt/format.h"

namespace kuma::store {
namespace {

constexpr size_t kOwnerTextMax = 512;

std::string error_text(int error) { return std::generic_category().message(error); }

// What the owner wrote; it may not have come to it yet.
std::string read_owner(int fd) {
  std::string text(kOwnerTextMax, '\0');
  const ssize_t count = ::pread(fd, text.data(), text.size(), 0);
  text.resize(count > 0 ? static_cast<size_t>(count) : 0);
  text.resize(text.find('\n') == std::string::npos ? text.size() : text.find('\n'));
  return text.empty() ? "another process" : text;
}

absl::Status write_owner(int fd, std::string_view instance, const Clock& clock) {
  const std::string who = instance.empty() ? "" : fmt::format(" (instance {})", instance.substr(0, kOwnerTextMax / 2));
  const std::string text = fmt::format("process {}{}, since {}\n", ::getpid(), who, format_rfc3339(clock.wall_now()));
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return absl::UnavailableError(error_text(errno));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileLock>> FileLock::acquire(const std::filesystem::path& file,
                                                            std::string_view instance, const Clock& clock) {
  const std::string path = file.string() + ".lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return absl::UnavailableError(fmt::format("cannot open the lock file {}: {}", path, error_text(errno)));
  }
  std::unique_ptr<FileLock> lock(new FileLock(fd));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return absl::UnavailableError(fmt::format("cannot lock {}: {}", path, error_text(errno)));
    }
    return absl::FailedPreconditionError(
        fmt::format("store file {} is in use by {}: stop that one first, or give this control plane a file of its own "
                    "(KUMA_STORE_SQLITE_PATH, or another KUMA_GENERAL_WORK_DIR)",
                    file.string(), read_owner(fd)));
  }
  // A full disk must not keep a control plane from starting: the name of the owner is for people only.
  (void)write_owner(fd, instance, clock);
  return lock;
}

FileLock::~FileLock() { ::close(fd_); }

}  // namespace kuma::store
