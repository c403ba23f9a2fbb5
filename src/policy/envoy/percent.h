#pragma once

#include "envoy/type/v3/percent.pb.h"

namespace kuma::policy::envoy {

// A percentage of 0 to 100 in the coarsest unit that holds it: hundredths, ten thousandths, else millionths, rounded
// (spec/policy-traffic.md, spec/policy-routes.md).
void set_percent(double percent, ::envoy::type::v3::FractionalPercent& target);

}  // namespace kuma::policy::envoy
