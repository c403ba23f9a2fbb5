#pragma once

#include <functional>
#include <string>

#include "net/http.h"
#include "observe/metrics.h"

namespace kuma::api {

// The diagnostics port: `/ready` and `/healthy` (200, as soon as it listens) and `/metrics`. `metrics` outlives it.
net::HttpHandler make_diagnostics(const observe::Metrics& metrics);

}  // namespace kuma::api
