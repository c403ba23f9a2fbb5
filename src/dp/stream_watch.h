#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace kuma::dp {

// Reads Envoy's log for the one thing that its user has to act upon: that the control plane does not take its stream.
// Envoy says so in words of gRPC, again and again; here it becomes one line that says what to do, at once and then at
// most once a minute for each cause.
//
// Thread: any one.
class StreamWatch {
 public:
  struct Proxy {
    std::string type;  // dataplane, ingress, egress
    std::string mesh;
    std::string name;
    std::string cp_address;
  };
  struct Advice {
    std::string message;
    std::string reason;     // what the control plane said
    uint64_t repeated = 0;  // lines of the same cause since the last advice
  };

  StreamWatch(const Clock& clock, Proxy proxy) : clock_(clock), proxy_(std::move(proxy)) {}

  std::optional<Advice> observe(std::string_view line);

 private:
  enum class Cause { BadToken, UnknownProxy, Registration, Certificate, Unreachable, Other };
  static constexpr size_t kCauses = 6;

  static Cause cause_of(int code, std::string_view message);
  std::string advice_for(Cause cause) const;

  struct Seen {
    std::optional<MonotonicTime> last;
    uint64_t repeated = 0;
  };

  const Clock& clock_;
  const Proxy proxy_;
  std::array<Seen, kCauses> seen_;
};

}  // namespace kuma::dp
