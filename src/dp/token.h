#pragma once

#include <string>

#include "absl/status/status.h"

namespace kuma::dp {

// Looks at the token file before anything is started: there, not empty, one line, a JWT by its looks. Signature and
// claims are the control plane's business. The error begins `dataplane token is invalid, …`.
absl::Status check_token_file(const std::string& path);

}  // namespace kuma::dp
