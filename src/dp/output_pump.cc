#include "dp/output_pump.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace kuma::dp {
namespace {

constexpr size_t kLineMax = 16 * 1024;
// A write of at most this much does not block on a pipe that poll() called writable.
constexpr size_t kPieceMax = 4096;

}  // namespace

OutputPump::OutputPump(Fd source, int sink, OnLine on_line)
    : source_(std::move(source)), sink_(sink), on_line_(std::move(on_line)), stop_event_(::eventfd(0, EFD_CLOEXEC)) {
  ::fcntl(source_.get(), F_SETFL, O_NONBLOCK);
  thread_ = std::thread([this] { run(); });
}

OutputPump::~OutputPump() { finish(std::chrono::milliseconds(0)); }

void OutputPump::finish(std::chrono::milliseconds patience) {
  if (!thread_.joinable()) {
    return;
  }
  patience_ms_ = static_cast<int>(patience.count());
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_event_.get(), &one, sizeof one);
  thread_.join();
}

void OutputPump::run() {
  std::array<char, kPieceMax> buffer;
  while (true) {
    const ssize_t size = ::read(source_.get(), buffer.data(), buffer.size());
    if (size > 0) {
      const std::string_view bytes(buffer.data(), static_cast<size_t>(size));
      split(bytes);
      if (!pass_on(bytes)) {
        return;
      }
      continue;
    }
    const bool is_empty = size < 0 && (errno == EAGAIN || errno == EINTR);
    // Asked to finish, an empty pipe is the end: a process that escaped us may hold the other side open for ever.
    if (!is_empty || patience_ms_ >= 0) {
      break;
    }
    std::array<pollfd, 2> ready = {pollfd{.fd = source_.get(), .events = POLLIN, .revents = 0},
                                   pollfd{.fd = stop_event_.get(), .events = POLLIN, .revents = 0}};
    ::poll(ready.data(), ready.size(), -1);
  }
  if (!line_.empty()) {
    on_line_(line_);
  }
}

bool OutputPump::pass_on(std::string_view bytes) {
  while (!bytes.empty()) {
    const int patience = patience_ms_;
    std::array<pollfd, 2> ready = {pollfd{.fd = sink_, .events = POLLOUT, .revents = 0},
                                   pollfd{.fd = patience < 0 ? stop_event_.get() : -1, .events = POLLIN, .revents = 0}};
    const int count = ::poll(ready.data(), ready.size(), patience);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (ready[0].revents == 0) {
      if (patience >= 0) {
        return false;  // nobody reads our output
      }
      continue;
    }
    const ssize_t written = ::write(sink_, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR && errno != EAGAIN) {
      return true;  // our output is closed; the child's is still read, or it would wait for ever
    }
    bytes.remove_prefix(written < 0 ? 0 : static_cast<size_t>(written));
  }
  return true;
}

void OutputPump::split(std::string_view bytes) {
  while (true) {
    const size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    line_.append(piece.substr(0, kLineMax - std::min(kLineMax, line_.size())));
    if (end == std::string_view::npos) {
      return;
    }
    on_line_(line_);
    line_.clear();
    bytes.remove_prefix(end + 1);
  }
}

}  // namespace kuma::dp
