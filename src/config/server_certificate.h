#pragma once

#include "absl/status/status.h"
#include "base/clock.h"
#include "config/config.h"

namespace kuma::config {

// Creates the work dir (0700) when it is missing and, when the general certificate is the one that complete_config()
// named there and the files do not exist, a self-signed server certificate and its key (0600): ECDSA P-256, ten years,
// valid for this host's name, localhost and all addresses of its interfaces. It is its own CA, so proxies can be given
// it as such.
//
// Errors name the path and what the system says; a certificate without its key is an error too.
absl::Status prepare_work_dir(const Config& config, const Clock& clock);

}  // namespace kuma::config
