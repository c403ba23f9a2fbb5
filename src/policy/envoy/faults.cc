#include "policy/envoy/faults.h"

#include <charconv>

#include "policy/envoy/filters.h"

namespace kuma::policy::envoy {

void set_abort(uint32_t status, double percent, HttpFault& fault) {
  fault.mutable_abort()->set_http_status(status);
  set_percent(percent, *fault.mutable_abort()->mutable_percentage());
}

void set_delay(std::chrono::nanoseconds delay, double percent, HttpFault& fault) {
  if (delay.count() > 0) {
    *fault.mutable_delay()->mutable_fixed_delay() = to_duration(delay);
    set_percent(percent, *fault.mutable_delay()->mutable_percentage());
  }
}

void set_bandwidth(uint64_t kbps, double percent, HttpFault& fault) {
  auto& limit = *fault.mutable_response_rate_limit();
  limit.mutable_fixed_limit()->set_limit_kbps(kbps);
  set_percent(percent, *limit.mutable_percentage());
}

std::optional<uint64_t> parse_bandwidth(std::string_view text) {
  static constexpr uint64_t kKbpsMax = 1'000'000'000'000'000;
  uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (unit.starts_with(' ')) {
    unit.remove_prefix(1);
  }
  const uint64_t scale = unit == "kbps" ? 1 : unit == "mbps" ? 1'000 : unit == "gbps" ? 1'000'000 : 0;
  if (failure != std::errc() || scale == 0 || value == 0 || value > kKbpsMax / scale) {
    return std::nullopt;
  }
  return value * scale;
}

}  // namespace kuma::policy::envoy
