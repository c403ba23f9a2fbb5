#pragma once

#include <string>

#include "base/clock.h"
#include "net/http.h"
#include "observe/metrics.h"

namespace kuma::api {

// `handler`, whose requests are counted as RequestMetrics does, under `prefix`. The label of requests to `path` is that
// path; all others, whose paths clients choose, share an empty one. `metrics` and `clock` outlive it.
net::HttpHandler measured(net::HttpHandler handler, observe::Metrics& metrics, std::string prefix, std::string path, const Clock& clock);

}  // namespace kuma::api
