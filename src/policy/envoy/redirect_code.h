#pragma once

#include <cstdint>

#include "envoy/config/route/v3/route_components.pb.h"

namespace kuma::policy::envoy {

// 301, 302, 303, 307 and 308 as Envoy names them; what is none of these, and was refused when it was applied, is a 301.
::envoy::config::route::v3::RedirectAction::RedirectResponseCode redirect_code(int64_t status);

}  // namespace kuma::policy::envoy
