#include "dp/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "base/errno_text.h"
#include "base/status.h"
#include "base/text.h"
#include "dp/fd.h"

namespace kuma::dp {
namespace {

absl::Status file_error(std::string_view verb, const std::string& path, int error) {
  const auto code = error == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kUnknown;
  return absl::Status(code, fmt::format("{} {}: {}", verb, path, errno_text(error)));
}

absl::StatusOr<std::string> read_all(int fd, const std::string& path) {
  std::string content;
  std::array<char, 16384> buffer;
  while (content.size() <= kFileSizeMax) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return file_error("read", path, errno);
    }
    if (count == 0) {
      return content;
    }
    content.append(buffer.data(), static_cast<size_t>(count));
  }
  return absl::ResourceExhaustedError(fmt::format("read {}: larger than {} bytes", path, kFileSizeMax));
}

}  // namespace

absl::StatusOr<std::string> read_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) {
    return file_error("open", path, errno);
  }
  return read_all(fd.get(), path);
}

absl::StatusOr<std::string> read_standard_input() { return read_all(STDIN_FILENO, "/dev/stdin"); }

absl::Status write_private_file(const std::string& path, std::string_view content) {
  std::error_code failed;
  const auto parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) {
    std::filesystem::create_directories(parent, failed);
    if (failed) {
      return absl::UnknownError(fmt::format("mkdir {}: {}", parent.string(), errno_text(failed.value())));
    }
  }
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  // An older file keeps its mode when it is opened; the content may be a token.
  if (!fd.is_open() || ::fchmod(fd.get(), 0600) != 0) {
    return file_error("open", path, errno);
  }
  while (!content.empty()) {
    const ssize_t count = ::write(fd.get(), content.data(), content.size());
    if (count < 0 && errno != EINTR) {
      return file_error("write", path, errno);
    }
    content.remove_prefix(count < 0 ? 0 : static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::StatusOr<TempDir> TempDir::make(const std::string& parent) {
  constexpr int kAttemptsMax = 100;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    uint32_t digits = 0;
    const std::string random = random_bytes(sizeof digits);
    std::memcpy(&digits, random.data(), sizeof digits);
    std::string path = fmt::format("{}/kuma-dp-{}", parent, digits);
    if (::mkdir(path.c_str(), 0700) == 0) {
      return TempDir(std::move(path));
    }
    if (errno != EEXIST) {
      return file_error("mkdir", path, errno);
    }
  }
  return absl::UnknownError(fmt::format("mkdir {}/kuma-dp-*: file exists", parent));
}

TempDir::~TempDir() {
  if (!path_.empty()) {
    std::error_code ignored;  // nothing better to do: the directory stays, and holds nothing that a reader may see
    std::filesystem::remove_all(path_, ignored);
  }
}

}  // namespace kuma::dp
