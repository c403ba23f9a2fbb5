#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kuma::dp {

// Files as kuma-dp needs them: small, whole. Errors are in the words that its users know: `open /x: no such file or
// directory`.

inline constexpr size_t kFileSizeMax = 16 * 1024 * 1024;

absl::StatusOr<std::string> read_file(const std::string& path);
// All of standard input.
absl::StatusOr<std::string> read_standard_input();

// Makes missing parent directories, then writes the file for nobody else to read (mode 0600), whatever it was before.
absl::Status write_private_file(const std::string& path, std::string_view content);

// A directory of our own, removed with all it holds when this dies.
class TempDir {
 public:
  // `<parent>/kuma-dp-<digits>`, mode 0700.
  static absl::StatusOr<TempDir> make(const std::string& parent);

  TempDir() = default;
  TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  TempDir& operator=(TempDir&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~TempDir();

  const std::string& path() const { return path_; }

 private:
  explicit TempDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace kuma::dp
