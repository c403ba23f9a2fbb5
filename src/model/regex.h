#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace kuma::model {

// Whether Envoy can use it: RE2's syntax, at most 10,000 bytes. InvalidArgument with RE2's reason.
absl::Status check_regex(std::string_view pattern);

}  // namespace kuma::model
