#include <algorithm>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "mesh/v1alpha1/retry.pb.h"
#include "policy/legacy_effects.h"

namespace kuma::policy {
namespace {

using ::envoy::config::route::v3::RetryPolicy;
using mesh::Protocol;
using mesh::v1alpha1::Retry;

constexpr std::string_view kHttpDefault = "gateway-error,connect-failure,refused-stream";
constexpr std::string_view kGrpcDefault =
    "cancelled,connect-failure,gateway-error,refused-stream,reset,resource-exhausted,unavailable";
constexpr std::string_view kStatusCodes = "retriable-status-codes";

std::string dashed(std::string name) {
  std::ranges::replace(name, '_', '-');
  return name;
}

// What `http` and `grpc` have in common.
template <typename Conf>
RetryPolicy common_policy(const Conf& conf) {
  RetryPolicy policy;
  if (conf.has_num_retries()) {
    *policy.mutable_num_retries() = conf.num_retries();
  }
  if (conf.has_per_try_timeout()) {
    *policy.mutable_per_try_timeout() = conf.per_try_timeout();
  }
  if (conf.has_back_off()) {
    auto& back_off = *policy.mutable_retry_back_off();
    if (conf.back_off().has_base_interval()) {
      *back_off.mutable_base_interval() = conf.back_off().base_interval();
    }
    if (conf.back_off().has_max_interval()) {
      *back_off.mutable_max_interval() = conf.back_off().max_interval();
    }
  }
  return policy;
}

RetryPolicy http_policy(const Retry::Conf::Http& conf) {
  RetryPolicy policy = common_policy(conf);
  std::vector<std::string> conditions;
  for (int item : conf.retry_on()) {
    auto word = static_cast<mesh::v1alpha1::HttpRetryOn>(item);
    conditions.push_back(word == mesh::v1alpha1::all_5xx ? "5xx" : dashed(mesh::v1alpha1::HttpRetryOn_Name(word)));
  }
  if (conditions.empty()) {
    conditions.emplace_back(kHttpDefault);
  }
  if (!conf.retriable_status_codes().empty()) {
    *policy.mutable_retriable_status_codes() = conf.retriable_status_codes();
    if (std::ranges::find(conditions, kStatusCodes) == conditions.end()) {
      conditions.emplace_back(kStatusCodes);
    }
  }
  for (int item : conf.retriable_methods()) {
    auto method = static_cast<mesh::v1alpha1::HttpMethod>(item);
    if (method != mesh::v1alpha1::NONE) {
      auto& header = *policy.add_retriable_request_headers();
      header.set_name(":method");
      header.mutable_string_match()->set_exact(mesh::v1alpha1::HttpMethod_Name(method));
    }
  }
  policy.set_retry_on(fmt::format("{}", fmt::join(conditions, ",")));
  return policy;
}

RetryPolicy grpc_policy(const Retry::Conf::Grpc& conf) {
  RetryPolicy policy = common_policy(conf);
  std::vector<std::string> conditions;
  for (int item : conf.retry_on()) {
    conditions.push_back(dashed(Retry::Conf::Grpc::RetryOn_Name(static_cast<Retry::Conf::Grpc::RetryOn>(item))));
  }
  policy.set_retry_on(conditions.empty() ? std::string(kGrpcDefault) : fmt::format("{}", fmt::join(conditions, ",")));
  return policy;
}

}  // namespace

std::optional<RetryPolicy> retry_policy(const model::Resource* retry, Protocol protocol) {
  if (retry == nullptr) {
    return std::nullopt;
  }
  const auto& conf = retry->as<Retry>().conf();
  if (protocol == Protocol::Http && conf.has_http()) {
    return http_policy(conf.http());
  }
  if (protocol == Protocol::Grpc && conf.has_grpc()) {
    return grpc_policy(conf.grpc());
  }
  return std::nullopt;  // http2 has none, which clients of the reference are used to
}

std::optional<uint32_t> connect_attempts_max(const model::Resource* retry) {
  if (retry == nullptr || !retry->as<Retry>().conf().has_tcp()) {
    return std::nullopt;
  }
  return retry->as<Retry>().conf().tcp().max_connect_attempts();
}

}  // namespace kuma::policy
