#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "policy/envoy/percent.h"

namespace kuma::policy::envoy {

inline constexpr std::string_view kFault = "envoy.filters.http.fault";
using HttpFault = ::envoy::extensions::filters::http::fault::v3::HTTPFault;

// Percentages are of 0 to 100.
void set_abort(uint32_t status, double percent, HttpFault& fault);
// A delay of nothing is no delay: Envoy refuses it.
void set_delay(std::chrono::nanoseconds delay, double percent, HttpFault& fault);
void set_bandwidth(uint64_t kbps, double percent, HttpFault& fault);

// `50 mbps` in kbit/s; nothing for another text, for 0 and for what does not fit.
std::optional<uint64_t> parse_bandwidth(std::string_view text);

}  // namespace kuma::policy::envoy
