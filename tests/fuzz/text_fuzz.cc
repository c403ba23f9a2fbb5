// Any bytes as the small text forms: durations, times, base64, JSON. What is printed must be read back as the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/json.h"
#include "base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto duration = kuma::parse_go_duration(text); duration.ok()) {
    const auto again = kuma::parse_go_duration(kuma::format_go_duration(*duration));
    if (!again.ok() || *again != *duration) {
      std::abort();
    }
  }
  if (const auto duration = kuma::parse_proto_duration(text); duration.ok()) {
    if (*kuma::parse_proto_duration(kuma::format_proto_duration(*duration)) != *duration) {
      std::abort();
    }
  }
  (void)kuma::parse_rfc3339(text);
  if (const auto bytes = kuma::base64_decode(text)) {
    if (kuma::base64_decode(kuma::base64_encode(*bytes)) != *bytes) {
      std::abort();
    }
  }
  if (const auto value = kuma::parse_json(text); value.ok()) {
    (void)kuma::to_yaml(*value);
    (void)kuma::to_pretty_json(*value);
  }
  return 0;
}
