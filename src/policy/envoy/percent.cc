#include "policy/envoy/percent.h"

#include <cmath>
#include <cstdint>

namespace kuma::policy::envoy {

using ::envoy::type::v3::FractionalPercent;

void set_percent(double percent, FractionalPercent& target) {
  auto is_whole = [](double value) { return value == std::trunc(value); };
  if (is_whole(percent)) {
    target.set_numerator(static_cast<uint32_t>(percent));
    target.set_denominator(FractionalPercent::HUNDRED);
  } else if (is_whole(percent * 100)) {
    target.set_numerator(static_cast<uint32_t>(percent * 100));
    target.set_denominator(FractionalPercent::TEN_THOUSAND);
  } else {
    target.set_numerator(static_cast<uint32_t>(std::lround(percent * 10'000)));
    target.set_denominator(FractionalPercent::MILLION);
  }
}

}  // namespace kuma::policy::envoy
