#include "dp/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "base/errno_text.h"
#include "base/status.h"
#include "dp/files.h"
#include "fmt/chrono.h"

namespace kuma::dp {
namespace {

namespace fs = std::filesystem;

std::string time_text(WallTime time) {
  const auto millis = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(millis);
  return fmt::format("{:%Y-%m-%dT%H-%M-%S}.{:03}", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (millis - seconds).count());
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogFile>> LogFile::open(const Clock& clock, const std::string& path, Limits limits) {
  auto file = std::unique_ptr<LogFile>(new LogFile(clock, path, limits));
  KUMA_RETURN_IF_ERROR(file->reopen());
  return file;
}

absl::Status LogFile::reopen() {
  std::error_code ignored;  // opening says what is wrong
  fs::create_directories(fs::path(path_).parent_path(), ignored);
  fd_ = Fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  struct stat info {};
  if (!fd_.is_open() || ::fstat(fd_.get(), &info) != 0) {
    return absl::UnknownError(fmt::format("open {}: {}", path_, errno_text(errno)));
  }
  size_ = static_cast<uint64_t>(info.st_size);
  return absl::OkStatus();
}

void LogFile::write(std::string_view line) {
  if (size_ > 0 && size_ + line.size() > limits_.size_max) {
    rotate();
  }
  const ssize_t written = ::write(fd_.get(), line.data(), line.size());
  size_ += written > 0 ? static_cast<uint64_t>(written) : 0;
}

void LogFile::rotate() {
  const fs::path path(path_);
  const fs::path aside = path.parent_path() / fmt::format("{}-{}{}", path.stem().string(), time_text(clock_.wall_now()),
                                                          path.extension().string());
  std::error_code failed;
  fs::rename(path, aside, failed);
  if (failed || !reopen().ok()) {
    size_ = 0;  // goes on in the old file, and tries again when as much has been written
    return;
  }
  remove_old();
}

void LogFile::remove_old() {
  const fs::path path(path_);
  const std::string prefix = path.stem().string() + "-";
  const std::string extension = path.extension().string();
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator entry(path.has_parent_path() ? path.parent_path() : fs::path("."), failed), end;
       !failed && entry != end; entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(extension) && name.size() > prefix.size() + extension.size()) {
      names.push_back(name);
    }
  }
  // Their names begin with the time, so the order of names is the order of age.
  std::sort(names.begin(), names.end());
  const std::string oldest_kept =
      limits_.age_max.count() > 0 ? prefix + time_text(clock_.wall_now() - limits_.age_max) : std::string();
  size_t left = names.size();
  for (const std::string& name : names) {
    if ((limits_.files_max == 0 || left <= limits_.files_max) && name >= oldest_kept) {
      return;
    }
    fs::remove(path.parent_path() / name, failed);
    --left;
  }
}

}  // namespace kuma::dp
