#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace kuma::ctl {

// What the subscriptions of an insight add up to.
struct SubscriptionSummary {
  bool online = false;  // some subscription is connected and has not ended
  uint64_t updates = 0, errors = 0;
  std::string last_connected, last_updated;  // RFC 3339, of the last subscription; empty without one
  std::string kuma_dp_version, envoy_version;
  const json::value* last = nullptr;  // the last subscription, within the insight
};
SubscriptionSummary summarize(const json::value& insight);

// `Online`, `Offline` or `Partially degraded` (spec/rest-api.md §6.1).
std::string dataplane_status(const json::value& dataplane, bool online);
// `inbound[port=80,svc=web] is not ready` for each such inbound.
std::vector<std::string> inbound_problems(const json::value& dataplane);

}  // namespace kuma::ctl
