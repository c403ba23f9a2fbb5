#include "dp/access_log_streamer.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "base/errno_text.h"
#include "base/status.h"
#include "dp/access_log_line.h"
#include "dp/files.h"

namespace kuma::dp {
namespace {

using namespace std::chrono_literals;

constexpr size_t kSinksMax = 64;
constexpr size_t kPendingMax = 1024 * 1024;
constexpr size_t kLineMax = 1024 * 1024;
constexpr auto kConnectTimeout = 5s;
constexpr auto kRetryPause = 1s;
constexpr auto kReportPause = 10s;
constexpr int kTickMs = 1000;

// `host:port`, `[::1]:port`.
absl::StatusOr<Fd> begin_connect(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return absl::InvalidArgumentError("missing port in address");
  }
  std::string host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found); error != 0) {
    return absl::UnavailableError(::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, ::freeaddrinfo);
  Fd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open() || (::connect(fd.get(), found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS)) {
    return absl::UnavailableError(errno_text(errno));
  }
  return fd;
}

absl::StatusOr<Fd> open_fifo(const std::string& path) {
  ::unlink(path.c_str());
  if (::mkfifo(path.c_str(), 0666) != 0) {
    return absl::UnavailableError(fmt::format("mkfifo {}: {}", path, errno_text(errno)));
  }
  ::chmod(path.c_str(), 0666);  // whatever the umask: Envoy may run as somebody else
  // For writing as well, so that the pipe does not end when Envoy closes and opens it again.
  Fd fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd.is_open()) {
    return absl::UnavailableError(fmt::format("open {}: {}", path, errno_text(errno)));
  }
  return fd;
}

// The connection to one address.
struct Sink {
  Fd fd;  // closed: waits for `retry_at`
  bool connected = false;
  MonotonicTime deadline{};  // of connecting
  MonotonicTime retry_at{};
  std::string pending;
};

}  // namespace

class AccessLogStreamer::Worker {
 public:
  Worker(Fd fifo, int stop_event, const Clock& clock, Log& log)
      : fifo_(std::move(fifo)), stop_event_(stop_event), clock_(clock), log_(log) {}

  void run();

 private:
  void read_fifo();
  void on_line(std::string_view line);
  void deliver(AccessLogLine line);
  Sink* sink_for(const std::string& address);
  void connect(const std::string& address, Sink& sink);
  void on_ready(const std::string& address, Sink& sink, short events);
  void flush(const std::string& address, Sink& sink);
  void fail(const std::string& address, Sink& sink, std::string_view why);
  void report();
  void drop(std::string_view why);

  Fd fifo_;
  const int stop_event_;
  const Clock& clock_;
  Log& log_;
  std::string partial_;
  bool skipping_ = false;  // the rest of a line that is too long
  std::map<std::string, Sink> sinks_;
  uint64_t dropped_ = 0;
  std::string dropped_why_;
  std::optional<MonotonicTime> reported_;
};

void AccessLogStreamer::Worker::run() {
  while (true) {
    std::vector<pollfd> ready = {{.fd = stop_event_, .events = POLLIN, .revents = 0},
                                 {.fd = fifo_.get(), .events = POLLIN, .revents = 0}};
    std::vector<const std::string*> addresses;
    for (const auto& [address, sink] : sinks_) {
      if (sink.fd.is_open()) {
        const bool wants_write = !sink.connected || !sink.pending.empty();
        ready.push_back(
            {.fd = sink.fd.get(), .events = static_cast<short>(POLLIN | (wants_write ? POLLOUT : 0)), .revents = 0});
        addresses.push_back(&address);
      }
    }
    ::poll(ready.data(), ready.size(), kTickMs);
    if (ready[0].revents != 0) {
      return;
    }
    for (size_t i = 0; i < addresses.size(); ++i) {
      on_ready(*addresses[i], sinks_.at(*addresses[i]), ready[i + 2].revents);
    }
    if (ready[1].revents != 0) {
      read_fifo();
    }
    report();
  }
}

void AccessLogStreamer::Worker::read_fifo() {
  std::array<char, 65536> buffer;
  const ssize_t size = ::read(fifo_.get(), buffer.data(), buffer.size());
  if (size <= 0) {
    return;
  }
  std::string_view bytes(buffer.data(), static_cast<size_t>(size));
  while (true) {
    const size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (!skipping_ && partial_.size() + piece.size() > kLineMax) {
      skipping_ = true;
      partial_.clear();
      drop("line too long");
    }
    if (!skipping_) {
      partial_.append(piece);
    }
    if (end == std::string_view::npos) {
      return;
    }
    if (!skipping_) {
      on_line(partial_);
    }
    partial_.clear();
    skipping_ = false;
    bytes.remove_prefix(end + 1);
  }
}

void AccessLogStreamer::Worker::on_line(std::string_view line) {
  if (line.empty()) {
    return;
  }
  auto parsed = parse_access_log_line(line);
  if (!parsed.ok()) {
    drop(message_of(parsed.status()));
    return;
  }
  deliver(*std::move(parsed));
}

void AccessLogStreamer::Worker::deliver(AccessLogLine line) {
  Sink* const sink = sink_for(line.address);
  if (sink == nullptr) {
    drop("too many addresses");
    return;
  }
  if (!sink->fd.is_open()) {
    if (clock_.monotonic_now() < sink->retry_at) {
      drop(fmt::format("{} cannot be reached", line.address));
      return;
    }
    connect(line.address, *sink);
    if (!sink->fd.is_open()) {
      drop(fmt::format("{} cannot be reached", line.address));
      return;
    }
  }
  if (sink->pending.size() + line.payload.size() > kPendingMax) {
    drop(fmt::format("{} does not keep up", line.address));
    return;
  }
  sink->pending += line.payload;
  if (sink->connected) {
    flush(line.address, *sink);
  }
}

Sink* AccessLogStreamer::Worker::sink_for(const std::string& address) {
  if (const auto found = sinks_.find(address); found != sinks_.end()) {
    return &found->second;
  }
  if (sinks_.size() >= kSinksMax) {
    // Make room by forgetting one that cannot be reached.
    const auto idle =
        std::find_if(sinks_.begin(), sinks_.end(), [](const auto& entry) { return !entry.second.fd.is_open(); });
    if (idle == sinks_.end()) {
      return nullptr;
    }
    sinks_.erase(idle);
  }
  return &sinks_[address];
}

void AccessLogStreamer::Worker::connect(const std::string& address, Sink& sink) {
  auto fd = begin_connect(address);
  if (!fd.ok()) {
    fail(address, sink, message_of(fd.status()));
    return;
  }
  sink.fd = *std::move(fd);
  sink.connected = false;
  sink.deadline = clock_.monotonic_now() + kConnectTimeout;
}

void AccessLogStreamer::Worker::on_ready(const std::string& address, Sink& sink, short events) {
  if (!sink.connected) {
    if (events == 0) {
      if (clock_.monotonic_now() > sink.deadline) {
        fail(address, sink, "connection timed out");
      }
      return;
    }
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(sink.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      fail(address, sink, errno_text(error));
      return;
    }
    sink.connected = true;
    log_.info("accesslogs-streamer", "connected to TCP log backend", {{"address", address}});
  }
  if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
    // Receivers have nothing to say; this is how their end is seen.
    std::array<char, 256> ignored;
    const ssize_t count = ::read(sink.fd.get(), ignored.data(), ignored.size());
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
      fail(address, sink, count == 0 ? "closed by the receiver" : errno_text(errno));
      return;
    }
  }
  flush(address, sink);
}

void AccessLogStreamer::Worker::flush(const std::string& address, Sink& sink) {
  if (sink.pending.empty()) {
    return;
  }
  const ssize_t count = ::send(sink.fd.get(), sink.pending.data(), sink.pending.size(), MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN && errno != EINTR) {
    fail(address, sink, errno_text(errno));
    return;
  }
  sink.pending.erase(0, count < 0 ? 0 : static_cast<size_t>(count));
}

void AccessLogStreamer::Worker::fail(const std::string& address, Sink& sink, std::string_view why) {
  if (!sink.pending.empty()) {
    dropped_ += static_cast<uint64_t>(std::count(sink.pending.begin(), sink.pending.end(), '\n'));
    dropped_why_ = fmt::format("{}: {}", address, why);
  }
  sink = Sink{};
  sink.retry_at = clock_.monotonic_now() + kRetryPause;
}

void AccessLogStreamer::Worker::drop(std::string_view why) {
  ++dropped_;
  dropped_why_ = why;
}

// The first loss at once, then sums.
void AccessLogStreamer::Worker::report() {
  const MonotonicTime now = clock_.monotonic_now();
  if (dropped_ == 0 || (reported_ && now - *reported_ < kReportPause)) {
    return;
  }
  log_.error("accesslogs-streamer", "access log lines were dropped", {{"count", dropped_}, {"reason", dropped_why_}});
  dropped_ = 0;
  reported_ = now;
}

absl::StatusOr<std::unique_ptr<AccessLogStreamer>> AccessLogStreamer::start(std::string path, const Clock& clock,
                                                                            Log& log) {
  KUMA_ASSIGN_OR_RETURN(Fd fifo, open_fifo(path));
  Fd stop_event(::eventfd(0, EFD_CLOEXEC));
  auto worker = std::make_unique<Worker>(std::move(fifo), stop_event.get(), clock, log);
  return std::unique_ptr<AccessLogStreamer>(
      new AccessLogStreamer(std::move(path), std::move(stop_event), std::move(worker)));
}

AccessLogStreamer::AccessLogStreamer(std::string path, Fd stop_event, std::unique_ptr<Worker> worker)
    : path_(std::move(path)), stop_event_(std::move(stop_event)), worker_(std::move(worker)) {
  thread_ = std::thread([this] { worker_->run(); });
}

AccessLogStreamer::~AccessLogStreamer() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_event_.get(), &one, sizeof one);
  thread_.join();
  ::unlink(path_.c_str());
}

}  // namespace kuma::dp
