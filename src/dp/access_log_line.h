#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kuma::dp {

// Where a line of Envoy's access log goes, and what is sent there.
struct AccessLogLine {
  std::string address;  // host:port
  std::string payload;  // ends with a newline
};

// `{"address": "host:port", "message": …}` or the older `host:port;text`. `line` comes without its newline.
// InvalidArgument: `log format invalid: expected 2 components separated by ';' or a JSON object`.
absl::StatusOr<AccessLogLine> parse_access_log_line(std::string_view line);

}  // namespace kuma::dp
