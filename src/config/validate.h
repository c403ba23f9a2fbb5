#pragma once

#include "absl/status/status.h"
#include "config/config.h"

namespace kuma::config {

// Whether a completed configuration makes sense in its mode: OK or InvalidArgument with all that is wrong, in the words
// of the reference: `Multizone Zone validation failed: Name is mandatory in Zone mode`.
absl::Status validate_config(const Config& config);

}  // namespace kuma::config
