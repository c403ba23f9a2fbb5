#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace kuma::model {

// Whether a text is an access log format that Envoy understands, as the reference checks it (spec/policy-observability.md
// §1.4). InvalidArgument `format string is not valid: …` says which command operator is wrong.
absl::Status check_access_log_format(std::string_view format);

}  // namespace kuma::model
