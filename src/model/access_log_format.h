#pragma once

#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kuma::model {

// Whether a text is an access log format that Envoy understands, as the reference checks it (spec/policy-observability.md
// §1.4). InvalidArgument `format string is not valid: …` says which command operator is wrong.
absl::Status check_access_log_format(std::string_view format);

// What the mesh's own operators stand for on one listener of a proxy. They never reach Envoy.
struct AccessLogValues {
  std::string mesh;
  std::string source_address;  // of this proxy, an IP, whoever the client is
  std::string source_service;
  std::string destination_service;
  std::string_view direction;  // INBOUND, OUTBOUND, UNSPECIFIED
};

// The format as Envoy gets it: operators of the mesh replaced by their values, names of headers in lower case. Errors as
// above.
absl::StatusOr<std::string> fill_access_log_format(std::string_view format, const AccessLogValues& values);

// What a format prints of a request beyond the usual: in the order of their names, each once, headers in lower case.
struct AccessLogFields {
  std::set<std::string> request_headers{};
  std::set<std::string> response_headers{};
  std::set<std::string> response_trailers{};
  std::set<std::string> filter_state{};
};
AccessLogFields access_log_fields(std::string_view format);

}  // namespace kuma::model
