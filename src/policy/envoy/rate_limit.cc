#include "policy/envoy/rate_limit.h"

#include <algorithm>
#include <string>

#include "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.pb.h"
#include "envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit.pb.h"
#include "envoy/type/v3/http_status.pb.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/pack.h"
#include "policy/envoy/percent.h"

namespace kuma::policy::envoy {
namespace {

using ::envoy::config::route::v3::Route;
using HttpLimit = ::envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit;
using ConnectionLimit = ::envoy::extensions::filters::network::local_ratelimit::v3::LocalRateLimit;

constexpr char kHttpStat[] = "rate_limit";
constexpr char kConnectionStat[] = "tcp_rate_limit";
// The message's name, which the reference gives to the filter as well.
constexpr std::string_view kConnectionLimit = "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit";

HttpLimit empty_limit() {
  HttpLimit limit;
  limit.set_stat_prefix(kHttpStat);
  return limit;
}

void set_bucket(const Rate& rate, ::envoy::type::v3::TokenBucket& bucket) {
  bucket.set_max_tokens(rate.count);
  bucket.mutable_tokens_per_fill()->set_value(rate.count);
  *bucket.mutable_fill_interval() = to_duration(rate.interval);
}

void set_always(const std::string& runtime_key, ::envoy::config::core::v3::RuntimeFractionalPercent& percent) {
  set_percent(100, *percent.mutable_default_value());
  percent.set_runtime_key(runtime_key);
}

}  // namespace

void add_rate_limit(Hcm& hcm) { add_http_filter(hcm, kLocalRateLimit, empty_limit()); }

absl::Status insert_rate_limit(Hcm& hcm) {
  if (std::ranges::any_of(hcm.http_filters(), [](const auto& filter) { return filter.name() == kLocalRateLimit; })) {
    return absl::OkStatus();
  }
  return insert_before_router(hcm, kLocalRateLimit, empty_limit());
}

bool has_rate_limit(const Route& route) { return route.typed_per_filter_config().contains(std::string(kLocalRateLimit)); }

void set_rate_limit(const Rate& rate, const RefusedAnswer& answer, Route& route) {
  HttpLimit limit = empty_limit();
  if (answer.status) {
    limit.mutable_status()->set_code(static_cast<::envoy::type::v3::StatusCode>(*answer.status));
  }
  set_bucket(rate, *limit.mutable_token_bucket());
  set_always("local_rate_limit_enabled", *limit.mutable_filter_enabled());
  set_always("local_rate_limit_enforced", *limit.mutable_filter_enforced());
  *limit.mutable_response_headers_to_add() = answer.headers;
  pack(limit, &(*route.mutable_typed_per_filter_config())[std::string(kLocalRateLimit)]);
}

void add_connection_limit(const Rate& rate, ::envoy::config::listener::v3::FilterChain& chain) {
  ConnectionLimit limit;
  limit.set_stat_prefix(kConnectionStat);
  set_bucket(rate, *limit.mutable_token_bucket());
  add_filter_first(chain, kConnectionLimit, limit);
}

bool is_envoy_status(uint32_t status) {
  return status != 0 && ::envoy::type::v3::StatusCode_IsValid(static_cast<int>(status));
}

}  // namespace kuma::policy::envoy
