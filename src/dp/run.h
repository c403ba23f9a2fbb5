#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "dp/log.h"
#include "dp/settings.h"
#include "dp/world.h"

namespace kuma::dp {

// `kuma-dp run`: prepares, fetches the bootstrap, runs Envoy and its helpers until told to stop, leaves nothing behind.
// Returns what follows `Error: `. Envoy logs at `log_level` unless told otherwise. Call it on the main thread, before
// any other is started.
absl::Status run(Settings flags, std::string_view log_level, const World& world, Log& log);

}  // namespace kuma::dp
