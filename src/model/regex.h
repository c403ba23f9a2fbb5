#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace kuma::model {

// Whether Envoy can use it: RE2's syntax, at most 10,000 bytes. InvalidArgument in the words of Go's regexp package:
// `error parsing regexp: missing closing ]: `[``.
absl::Status check_regex(std::string_view pattern);

// Whether the pattern (valid, of our own) matches somewhere in the text; anchors are the pattern's business.
bool regex_finds(std::string_view pattern, std::string_view text);

}  // namespace kuma::model
