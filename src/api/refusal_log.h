#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "net/http.h"

namespace kuma::api {

// The log's lines about user tokens that were refused: the answer (401) does not say why. At most one line a second,
// whoever asks how often; the next line says how many were left out. Any thread.
class RefusalLog {
 public:
  explicit RefusalLog(const Clock& clock) : clock_(clock) {}

  // The line to write now, if any. Shows no part of the token.
  std::optional<std::string> line_for(const net::HttpRequest& request, std::string_view cause);

 private:
  const Clock& clock_;
  std::mutex mutex_;  // guards the two below
  std::optional<MonotonicTime> last_;
  size_t left_out_ = 0;
};

}  // namespace kuma::api
