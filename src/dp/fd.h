#pragma once

#include <unistd.h>

#include <utility>

namespace kuma::dp {

// Owns a file descriptor.
class [[nodiscard]] Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void reset() {
    if (const int fd = std::exchange(fd_, -1); fd >= 0) {
      ::close(fd);
    }
  }

 private:
  int fd_ = -1;
};

}  // namespace kuma::dp
