#include "policy/meshretry/retry_policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "fmt/format.h"
#include "policy/envoy/any_of.h"
#include "policy/envoy/deprecated.h"
#include "policy/envoy/filters.h"

namespace kuma::policy::meshretry {
namespace {

using ::envoy::config::route::v3::HeaderMatcher;
using ::envoy::config::route::v3::RetryPolicy;
using mesh::Protocol;
using Words = std::array<std::pair<std::string_view, std::string_view>, 8>;

constexpr std::string_view kHttpDefault = "gateway-error,connect-failure,refused-stream";
constexpr std::string_view kGrpcDefault =
    "cancelled,connect-failure,gateway-error,refused-stream,reset,resource-exhausted,unavailable";
constexpr std::string_view kMethodPrefix = "HttpMethod";
// Envoy's own when a policy gives only the longest interval; Envoy takes no back-off without a base.
constexpr std::chrono::milliseconds kBaseInterval{25};

constexpr Words kHttpWords = {{{"5xx", "5xx"},
                               {"GatewayError", "gateway-error"},
                               {"Reset", "reset"},
                               {"Retriable4xx", "retriable-4xx"},
                               {"ConnectFailure", "connect-failure"},
                               {"EnvoyRatelimited", "envoy-ratelimited"},
                               {"RefusedStream", "refused-stream"},
                               {"Http3PostConnectFailure", "http3-post-connect-failure"}}};
// `canceled` with one l is not a word of Envoy's; users' configuration dumps have it.
constexpr Words kGrpcWords = {{{"Canceled", "canceled"},
                               {"DeadlineExceeded", "deadline-exceeded"},
                               {"Internal", "internal"},
                               {"ResourceExhausted", "resource-exhausted"},
                               {"Unavailable", "unavailable"}}};

std::string_view envoy_word(const Words& words, std::string_view name) {
  const auto found = std::ranges::find(words, name, &Words::value_type::first);
  return found == words.end() ? std::string_view() : found->second;
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return out;
}

void set_back_off(const ConfView& conf, RetryPolicy& policy) {
  const auto base = conf["baseInterval"].duration(), longest = conf["maxInterval"].duration();
  if (!base && !longest) {
    return;
  }
  auto& back_off = *policy.mutable_retry_back_off();
  if (longest) {
    *back_off.mutable_max_interval() = envoy::to_duration(*longest);
  }
  *back_off.mutable_base_interval() = envoy::to_duration(base ? *base : std::min<std::chrono::nanoseconds>(kBaseInterval, *longest));
}

void set_rate_limited_back_off(const ConfView& conf, RetryPolicy& policy) {
  if (!conf) {
    return;
  }
  auto& back_off = *policy.mutable_rate_limited_retry_back_off();
  for (const ConfView& header : conf["resetHeaders"].items()) {
    auto& reset = *back_off.add_reset_headers();
    reset.set_name(std::string(header["name"].text()));
    reset.set_format(header["format"].text() == "Seconds" ? RetryPolicy::SECONDS : RetryPolicy::UNIX_TIMESTAMP);
  }
  if (const auto longest = conf["maxInterval"].duration()) {
    *back_off.mutable_max_interval() = envoy::to_duration(*longest);
  }
}

// What `http` and `grpc` have in common.
RetryPolicy common_policy(const ConfView& section) {
  RetryPolicy policy;
  if (const auto retries = section["numRetries"].number()) {
    policy.mutable_num_retries()->set_value(static_cast<uint32_t>(*retries));
  }
  if (const auto timeout = section["perTryTimeout"].duration()) {
    *policy.mutable_per_try_timeout() = envoy::to_duration(*timeout);
  }
  set_back_off(section["backOff"], policy);
  set_rate_limited_back_off(section["rateLimitedBackOff"], policy);
  return policy;
}

// Conditions, methods and statuses are one list in the policy and three in Envoy.
void set_http_conditions(const ConfView& retry_on, RetryPolicy& policy) {
  std::vector<std::string_view> words;
  for (const ConfView& item : retry_on.items()) {
    const std::string_view text = item.text();
    uint32_t status = 0;
    if (const std::string_view word = envoy_word(kHttpWords, text); !word.empty()) {
      words.push_back(word);
    } else if (text.starts_with(kMethodPrefix)) {
      HeaderMatcher& method = *policy.add_retriable_request_headers();
      method.set_name(":method");
      method.mutable_string_match()->set_exact(upper(text.substr(kMethodPrefix.size())));
    } else if (std::from_chars(text.data(), text.data() + text.size(), status).ec == std::errc()) {
      policy.add_retriable_status_codes(status);
    }
  }
  if (words.empty()) {
    words.push_back(kHttpDefault);
  }
  if (!policy.retriable_status_codes().empty()) {
    words.push_back("retriable-status-codes");
  }
  policy.set_retry_on(fmt::format("{}", fmt::join(words, ",")));
}

void set_header_match(const ConfView& from, HeaderMatcher& header) {
  const std::string_view type = from["type"].text();
  const std::string value(from["value"].text());
  header.set_name(std::string(from["name"].text()));
  if (type == "Present" || type == "Absent") {
    header.set_present_match(type == "Present");
  } else if (type == "Prefix") {
    header.mutable_string_match()->set_prefix(value);
  } else if (type == "RegularExpression") {
    envoy::set_regex(*header.mutable_string_match()->mutable_safe_regex(), value);
  } else {
    header.mutable_string_match()->set_exact(value);
  }
}

absl::Status add_host_selection(const ConfView& item, RetryPolicy& policy) {
  const std::string_view predicate = item["predicate"].text();
  if (predicate == "OmitPreviousPriorities") {
    policy.mutable_retry_priority()->set_name("envoy.retry_priorities.previous_priorities");
    KUMA_ASSIGN_OR_RETURN(*policy.mutable_retry_priority()->mutable_typed_config(),
                          envoy::any_of("envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                                        json::object{{"updateFrequency", item["updateFrequency"].number().value_or(1)}}));
    return absl::OkStatus();
  }
  auto& entry = *policy.add_retry_host_predicate();
  if (predicate == "OmitPreviousHosts") {
    entry.set_name("envoy.retry_host_predicates.previous_hosts");
    KUMA_ASSIGN_OR_RETURN(*entry.mutable_typed_config(),
                          envoy::any_of("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate", json::object()));
    return absl::OkStatus();
  }
  json::object tags;
  for (const auto& [key, value] : item["tags"].members()) {
    tags[key] = value.text();
  }
  entry.set_name("envoy.retry_host_predicates.omit_host_metadata");
  KUMA_ASSIGN_OR_RETURN(
      *entry.mutable_typed_config(),
      envoy::any_of("envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig",
                    json::object{{"metadataMatch", json::object{{"filterMetadata", json::object{{"envoy.lb", std::move(tags)}}}}}}));
  return absl::OkStatus();
}

absl::StatusOr<RetryPolicy> http_policy(const ConfView& http) {
  RetryPolicy policy = common_policy(http);
  set_http_conditions(http["retryOn"], policy);
  for (const ConfView& header : http["retriableRequestHeaders"].items()) {
    set_header_match(header, *policy.add_retriable_request_headers());
  }
  for (const ConfView& header : http["retriableResponseHeaders"].items()) {
    set_header_match(header, *policy.add_retriable_headers());
  }
  for (const ConfView& item : http["hostSelection"].items()) {
    KUMA_RETURN_IF_ERROR(add_host_selection(item, policy));
  }
  if (const auto attempts = http["hostSelectionMaxAttempts"].number()) {
    policy.set_host_selection_retry_max_attempts(*attempts);
  }
  return policy;
}

RetryPolicy grpc_policy(const ConfView& grpc) {
  RetryPolicy policy = common_policy(grpc);
  std::vector<std::string_view> words;
  for (const ConfView& item : grpc["retryOn"].items()) {
    words.push_back(envoy_word(kGrpcWords, item.text()));
  }
  policy.set_retry_on(words.empty() ? std::string(kGrpcDefault) : fmt::format("{}", fmt::join(words, ",")));
  return policy;
}

}  // namespace

absl::StatusOr<std::optional<RetryPolicy>> retry_policy_of(const ConfView& conf, Protocol protocol) {
  if (protocol == Protocol::Http && conf["http"]) {
    KUMA_ASSIGN_OR_RETURN(RetryPolicy policy, http_policy(conf["http"]));
    return std::optional(std::move(policy));
  }
  if (protocol == Protocol::Grpc && conf["grpc"]) {
    return std::optional(grpc_policy(conf["grpc"]));
  }
  return std::optional<RetryPolicy>();
}

}  // namespace kuma::policy::meshretry
