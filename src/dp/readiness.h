#pragma once

#include <string_view>

#include "net/http.h"

namespace kuma::dp {

// What the readiness reporter answers: `READY` while the proxy is in use, 503 `TERMINATING` once it is being drained,
// for GET /ready; 404 for anything else.
net::HttpResponse answer_readiness(std::string_view method, std::string_view target, bool terminating);

}  // namespace kuma::dp
