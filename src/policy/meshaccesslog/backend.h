#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "policy/envoy/access_log.h"

namespace kuma::policy::meshaccesslog {

// A backend is what its sections say, whatever its type says: tcp before file before openTelemetry.

// The endpoint of a backend's OpenTelemetry collector; empty for other kinds of backends.
std::string_view collector_of(const json::value& backend);

// What placeholders are looked for in; empty: the default format, which has all of them.
std::string format_text(const json::value& backend);

// What a backend's logger needs to know besides.
struct LogContext {
  model::AccessLogValues values;
  bool http = false;              // whether the chain speaks HTTP
  std::string access_log_path;    // kuma-dp's pipe
  std::string collector_cluster;  // of an OpenTelemetry backend
};
// The error says what the backend lacks or which placeholder is wrong.
absl::StatusOr<envoy::AccessLog> make_logger(const json::value& backend, const LogContext& context);

// OK when the texts in an OpenTelemetry body are formats.
absl::Status check_body(const json::value& body);

}  // namespace kuma::policy::meshaccesslog
