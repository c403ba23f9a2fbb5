#include "api/refusal_log.h"

#include "fmt/format.h"

namespace kuma::api {
namespace {

constexpr std::chrono::seconds kInterval(1);
constexpr size_t kTargetMax = 200;  // of a path, which the client chooses

}  // namespace

std::optional<std::string> RefusalLog::line_for(const net::HttpRequest& request, std::string_view cause) {
  const std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.monotonic_now();
  if (last_ && now - *last_ < kInterval) {
    ++left_out_;
    return std::nullopt;
  }
  last_ = now;
  std::string line = fmt::format("the user token of {} {} from {} is refused: {}", request.method,
                                 std::string_view(request.target).substr(0, kTargetMax), request.peer.address, cause);
  if (left_out_ != 0) {
    line += fmt::format(" ({} more since the last line like this)", left_out_);
    left_out_ = 0;
  }
  return line;
}

}  // namespace kuma::api
