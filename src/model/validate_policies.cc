#include <algorithm>
#include <map>
#include <vector>

#include "base/json.h"
#include "mesh/v1alpha1/circuit_breaker.pb.h"
#include "mesh/v1alpha1/fault_injection.pb.h"
#include "mesh/v1alpha1/health_check.pb.h"
#include "mesh/v1alpha1/rate_limit.pb.h"
#include "mesh/v1alpha1/retry.pb.h"
#include "mesh/v1alpha1/timeout.pb.h"
#include "mesh/v1alpha1/traffic_log.pb.h"
#include "mesh/v1alpha1/traffic_permission.pb.h"
#include "mesh/v1alpha1/traffic_trace.pb.h"
#include "model/http_status.h"
#include "model/regex.h"
#include "model/selectors.h"
#include "model/validators.h"

namespace kuma::model {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using google::protobuf::Duration;

bool is_zero(const Duration& duration) { return duration.seconds() == 0 && duration.nanos() == 0; }

// Whether nothing is set in a section of a conf.
bool is_empty(const google::protobuf::Message& section) { return section.ByteSizeLong() == 0; }

template <typename Policy>
void validate_connections(const Policy& policy, Violations& violations) {
  validate_source_selectors(policy.sources(), violations);
  validate_service_selectors(FieldPath("destinations"), policy.destinations(), violations);
}

bool in_percent(double value) { return value >= 0 && value <= 100; }

template <typename Fault>
void validate_percentage(const Fault& fault, const FieldPath& path, Violations& violations) {
  if (!fault.has_percentage()) {
    violations.add(path.field("percentage"), "cannot be empty");
  } else if (!in_percent(fault.percentage().value())) {
    violations.add(path.field("percentage"), "has to be in [0.0 - 100.0] range");
  }
}

void validate_faults(const pb::FaultInjection::Conf& conf, Violations& violations) {
  const FieldPath path("conf");
  if (is_empty(conf.delay()) && is_empty(conf.abort()) && is_empty(conf.response_bandwidth())) {
    violations.add(path, "must have at least one of the faults configured");
    return;
  }
  if (conf.has_delay()) {
    const FieldPath at = path.field("delay");
    validate_percentage(conf.delay(), at, violations);
    if (!conf.delay().has_value()) {
      violations.add(at.field("value"), "cannot be empty");
    }
  }
  if (conf.has_abort()) {
    const FieldPath at = path.field("abort");
    validate_percentage(conf.abort(), at, violations);
    if (!conf.abort().has_httpstatus()) {
      violations.add(at.field("httpStatus"), "cannot be empty");
    } else if (!is_registered_http_status(conf.abort().httpstatus().value())) {
      violations.add(at.field("httpStatus"), "http status code is incorrect");
    }
  }
  if (conf.has_response_bandwidth()) {
    const FieldPath at = path.field("responseBandwidth");
    validate_percentage(conf.response_bandwidth(), at, violations);
    if (!conf.response_bandwidth().has_limit()) {
      violations.add(at.field("limit"), "cannot be empty");
    } else if (!regex_finds("[gmk]bps", conf.response_bandwidth().limit().value())) {
      violations.add(at.field("limit"), "has to be in kbps/mbps/gbps units");
    }
  }
}

void validate_http_check(const pb::HealthCheck::Conf::Http& http, const FieldPath& path, Violations& violations) {
  if (http.path().empty()) {
    violations.add(path.field("path"), "has to be defined and cannot be empty");
  }
  for (size_t i = 0; const auto& status : http.expected_statuses()) {
    const FieldPath at = path.field("expectedStatuses").index(i++);
    if (status.value() < 100 || status.value() >= 600) {
      violations.add(at, "must be in range [100, 600)");
    }
  }
  for (size_t i = 0; const auto& option : http.request_headers_to_add()) {
    const FieldPath at = path.field("requestHeadersToAdd").index(i++).field("header");
    if (!option.has_header()) {
      violations.add(at, "has to be defined");
    } else if (option.header().key().empty()) {
      violations.add(at.field("key"), "cannot be empty");
    }
  }
}

bool has_detector(const pb::CircuitBreaker::Conf::Detectors& detectors) {
  return detectors.has_totalerrors() || detectors.has_gatewayerrors() || detectors.has_localerrors() ||
         detectors.has_standarddeviation() || detectors.has_failure();
}

void validate_positive(const FieldPath& path, bool present, const Duration& duration, Violations& violations) {
  if (present && is_zero(duration)) {
    violations.add(path, "has to be greater than 0 when defined");
  }
}

// What retries over HTTP and gRPC have in common.
template <typename Section>
void validate_retries(const Section& section, const FieldPath& path, Violations& violations) {
  if (section.has_num_retries() && section.num_retries().value() == 0) {
    violations.add(path.field("numRetries"), "has to be greater than 0 when defined");
  }
  validate_positive(path.field("perTryTimeout"), section.has_per_try_timeout(), section.per_try_timeout(), violations);
  if (!section.has_back_off()) {
    return;
  }
  const FieldPath at = path.field("backOff");
  const auto& back_off = section.back_off();
  if (!back_off.has_base_interval()) {
    violations.add(at.field("baseInterval"), "has to be defined");
  } else if (is_zero(back_off.base_interval())) {
    violations.add(at.field("baseInterval"), "has to be greater than 0");
  } else {
    validate_positive(at.field("maxInterval"), back_off.has_max_interval(), back_off.max_interval(), violations);
  }
}

void validate_http_retry(const pb::Retry::Conf::Http& http, const FieldPath& path, Violations& violations) {
  if (is_empty(http)) {
    violations.add(path, "field cannot be empty");
    return;
  }
  validate_retries(http, path, violations);
  for (int i = 0; i < http.retriable_methods_size(); ++i) {
    if (http.retriable_methods(i) == pb::NONE) {
      violations.add(path.field("retriableMethods").index(static_cast<size_t>(i)), "field cannot be empty");
    }
  }
  for (int i = 0; i < http.retry_on_size(); ++i) {
    if (http.retry_on(i) == pb::retriable_status_codes && http.retriable_status_codes().empty()) {
      violations.add(path.field("retryOn").index(static_cast<size_t>(i)), "retriableStatusCodes cannot be empty when this option is specified");
    }
  }
}

void validate_grpc_retry(const pb::Retry::Conf::Grpc& grpc, const FieldPath& path, Violations& violations) {
  if (is_empty(grpc)) {
    violations.add(path, "field cannot be empty");
    return;
  }
  validate_retries(grpc, path, violations);
  std::map<std::string, std::vector<int>> places;
  for (int i = 0; i < grpc.retry_on_size(); ++i) {
    places[pb::Retry::Conf::Grpc::RetryOn_Name(grpc.retry_on(i))].push_back(i);
  }
  for (const auto& [name, indexes] : places) {
    if (indexes.size() > 1) {
      violations.add(path.field("retryOn"), "repeated value \"{}\" at indexes [{}]", name, fmt::join(indexes, ", "));
    }
  }
}

}  // namespace

void validate_circuit_breaker(const Resource& resource, Violations& violations) {
  const auto& policy = resource.as<pb::CircuitBreaker>();
  validate_connections(policy, violations);
  const pb::CircuitBreaker::Conf& conf = policy.conf();
  const FieldPath path("conf");
  if (!has_detector(conf.detectors()) && is_empty(conf.thresholds())) {
    violations.add(path, "must have at least one of the detector or threshold configured");
    return;
  }
  if (conf.has_detectors() && !has_detector(conf.detectors())) {
    violations.add(path.field("detectors"), "can't be empty");
  }
  if (conf.has_thresholds() && is_empty(conf.thresholds())) {
    violations.add(path.field("thresholds"), "can't be empty");
  }
  if (conf.maxejectionpercent().value() > 100) {
    violations.add(path.field("maxEjectionPercent"), "has to be in [0.0 - 100.0] range");
  }
  if (conf.detectors().failure().threshold().value() > 100) {
    violations.add(path.field("detectors").field("failure").field("threshold"), "has to be in [0.0 - 100.0] range");
  }
}

void validate_fault_injection(const Resource& resource, Violations& violations) {
  const auto& policy = resource.as<pb::FaultInjection>();
  validate_selectors(FieldPath("sources"), policy.sources(), {}, violations);
  SelectorRules rules;
  rules.tags.extra = [](const FieldPath& at, const TagMap& tags, Violations& found) {
    const auto protocol = tags.find(std::string(kProtocolTag));
    if (protocol == tags.end()) {
      found.add(at, "protocol must be specified");
    } else if (protocol->second != "http" && protocol->second != "http2" && protocol->second != "grpc") {
      found.add(at.key(kProtocolTag), "must be one of the [http, http2, grpc]");
    }
  };
  validate_selectors(FieldPath("destinations"), policy.destinations(), rules, violations);
  validate_faults(policy.conf(), violations);
}

void validate_health_check(const Resource& resource, Violations& violations) {
  const auto& policy = resource.as<pb::HealthCheck>();
  validate_connections(policy, violations);
  const FieldPath path("conf");
  if (!policy.has_conf()) {
    violations.add(path, "has to be defined");
    return;
  }
  const pb::HealthCheck::Conf& conf = policy.conf();
  validate_duration(path.field("interval"), conf.has_interval(), conf.interval(), violations);
  validate_duration(path.field("timeout"), conf.has_timeout(), conf.timeout(), violations);
  validate_threshold(path.field("unhealthyThreshold"), conf.unhealthy_threshold(), violations);
  validate_threshold(path.field("healthyThreshold"), conf.healthy_threshold(), violations);
  if (conf.has_initial_jitter()) {
    validate_duration(path.field("initialJitter"), true, conf.initial_jitter(), violations);
  }
  if (conf.has_interval_jitter()) {
    validate_duration(path.field("intervalJitter"), true, conf.interval_jitter(), violations);
  }
  if (conf.has_no_traffic_interval()) {
    validate_duration(path.field("noTrafficInterval"), true, conf.no_traffic_interval(), violations);
  }
  if (conf.has_healthy_panic_threshold() && !in_percent(static_cast<double>(conf.healthy_panic_threshold().value()))) {
    violations.add(path.field("healthyPanicThreshold"), "must be in range [0.0 - 100.0]");
  }
  if (conf.has_http()) {
    validate_http_check(conf.http(), path.field("http"), violations);
  }
  if (conf.has_http() && conf.has_tcp()) {
    violations.add(path, "http and tcp cannot be defined at the same time");
  }
}

void validate_rate_limit(const Resource& resource, Violations& violations) {
  const auto& policy = resource.as<pb::RateLimit>();
  validate_selectors(FieldPath("sources"), policy.sources(), {}, violations);
  validate_selectors(FieldPath("destinations"), policy.destinations(), {}, violations);
  const FieldPath path("conf");
  if (!policy.has_conf()) {
    violations.add(path, "must have conf");
    return;
  }
  if (!policy.conf().has_http()) {
    return;
  }
  const pb::RateLimit::Conf::Http& http = policy.conf().http();
  if (http.requests() == 0) {
    violations.add(path.field("http").field("requests"), "requests must be set");
  }
  if (!http.has_interval()) {
    violations.add(path.field("http").field("interval"), "interval must be set");
  }
  for (size_t i = 0; const auto& header : http.onratelimit().headers()) {
    const FieldPath at = path.field("http").field("onRateLimit").field("header").key(std::to_string(i++));
    if (header.key().empty()) {
      violations.add(at, "key must be set");
    }
    if (header.value().empty()) {
      violations.add(at, "value must be set");
    }
  }
}

void validate_retry(const Resource& resource, Violations& violations) {
  const auto& policy = resource.as<pb::Retry>();
  validate_connections(policy, violations);
  const FieldPath path("conf");
  if (!policy.has_conf()) {
    violations.add(path, "has to be defined");
    return;
  }
  const pb::Retry::Conf& conf = policy.conf();
  if (!conf.has_http() && !conf.has_grpc() && !conf.has_tcp()) {
    violations.add(path, "missing protocol [grpc|http|tcp] configuration");
  }
  if (conf.has_http()) {
    validate_http_retry(conf.http(), path.field("http"), violations);
  }
  if (conf.has_grpc()) {
    validate_grpc_retry(conf.grpc(), path.field("grpc"), violations);
  }
  if (conf.has_tcp() && conf.tcp().max_connect_attempts() == 0) {
    violations.add(path.field("tcp").field("maxConnectAttempts"), "has to be greater than 0");
  }
}

void validate_timeout(const Resource& resource, Violations& violations) {
  const auto& policy = resource.as<pb::Timeout>();
  validate_connections(policy, violations);
  const FieldPath path("conf");
  if (!policy.has_conf()) {
    violations.add(path, "has to be defined");
    return;
  }
  constexpr const char* kNone = "at least one timeout in section has to be defined";
  const pb::Timeout::Conf& conf = policy.conf();
  if (conf.has_tcp()) {
    const FieldPath at = path.field("tcp");
    if (!conf.tcp().has_idle_timeout()) {
      violations.add(at, kNone);
    } else if (is_zero(conf.tcp().idle_timeout())) {
      violations.add(at.field("idleTimeout"), "has to be greater than 0");
    }
  }
  if (conf.has_http()) {
    const FieldPath at = path.field("http");
    if (!conf.http().has_request_timeout() && !conf.http().has_idle_timeout()) {
      violations.add(at, kNone);
    }
    validate_positive(at.field("requestTimeout"), conf.http().has_request_timeout(), conf.http().request_timeout(), violations);
    validate_positive(at.field("idleTimeout"), conf.http().has_idle_timeout(), conf.http().idle_timeout(), violations);
  }
  if (conf.has_grpc()) {
    const FieldPath at = path.field("grpc");
    if (!conf.grpc().has_stream_idle_timeout() && !conf.grpc().has_max_stream_duration()) {
      violations.add(at, kNone);
    }
    validate_positive(at.field("streamIdleTimeout"), conf.grpc().has_stream_idle_timeout(), conf.grpc().stream_idle_timeout(), violations);
    validate_positive(at.field("maxStreamDuration"), conf.grpc().has_max_stream_duration(), conf.grpc().max_stream_duration(), violations);
  }
}

void validate_traffic_log(const Resource& resource, Violations& violations) {
  validate_connections(resource.as<pb::TrafficLog>(), violations);
}

void validate_traffic_permission(const Resource& resource, Violations& violations) {
  const auto& policy = resource.as<pb::TrafficPermission>();
  validate_selectors(FieldPath("sources"), policy.sources(), {}, violations);
  validate_selectors(FieldPath("destinations"), policy.destinations(), {}, violations);
}

void validate_traffic_trace(const Resource& resource, Violations& violations) {
  validate_selectors(FieldPath("selectors"), resource.as<pb::TrafficTrace>().selectors(), {}, violations);
}

}  // namespace kuma::model
