#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/listener/v3/listener_components.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "policy/envoy/filters.h"

namespace kuma::policy::envoy {

// Limits that a proxy keeps by itself, for all of its clients together.

inline constexpr std::string_view kLocalRateLimit = "envoy.filters.http.local_ratelimit";

struct Rate {
  uint32_t count = 0;
  std::chrono::nanoseconds interval{};
};

// How a refused request is answered; 429 without a status.
struct RefusedAnswer {
  std::optional<uint32_t> status;
  google::protobuf::RepeatedPtrField<::envoy::config::core::v3::HeaderValueOption> headers;
};

// The HTTP filter, which does nothing but what routes say, at the end.
void add_rate_limit(Hcm& hcm);
// The same before the router of a complete chain, if it is not there yet.
absl::Status insert_rate_limit(Hcm& hcm);
bool has_rate_limit(const ::envoy::config::route::v3::Route& route);
void set_rate_limit(const Rate& rate, const RefusedAnswer& answer, ::envoy::config::route::v3::Route& route);

// Of connections, before everything else on the chain.
void add_connection_limit(const Rate& rate, ::envoy::config::listener::v3::FilterChain& chain);

// Whether Envoy can answer with it: statuses that it has no name for make it refuse the configuration.
bool is_envoy_status(uint32_t status);

}  // namespace kuma::policy::envoy
