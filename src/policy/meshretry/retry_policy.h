#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "mesh/protocol.h"
#include "policy/conf_view.h"

namespace kuma::policy::meshretry {

// What the settings of a MeshRetry (the value of `default`, checked) mean for requests to a service that speaks `protocol`
// (spec/policy-traffic.md §4.4). Nothing: no retries.
absl::StatusOr<std::optional<::envoy::config::route::v3::RetryPolicy>> retry_policy_of(const ConfView& conf,
                                                                                       mesh::Protocol protocol);

}  // namespace kuma::policy::meshretry
