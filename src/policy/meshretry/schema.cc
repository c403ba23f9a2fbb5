#include "policy/meshretry/schema.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "model/http_status.h"
#include "policy/target_ref_schema.h"

namespace kuma::policy {
namespace {

using model::array;
using model::duration;
using model::kRequired;
using model::object;
using model::string;
using model::uint32;

constexpr std::array<std::string_view, 17> kHttpConditions = {
    "5xx",             "GatewayError",   "Reset",           "Retriable4xx",      "ConnectFailure",  "EnvoyRatelimited",
    "RefusedStream",   "Http3PostConnectFailure", "HttpMethodConnect", "HttpMethodDelete", "HttpMethodGet", "HttpMethodHead",
    "HttpMethodOptions", "HttpMethodPatch", "HttpMethodPost", "HttpMethodPut",    "HttpMethodTrace"};
constexpr std::array<std::string_view, 5> kGrpcConditions = {"Canceled", "DeadlineExceeded", "Internal", "ResourceExhausted",
                                                             "Unavailable"};

model::JsonSchema back_off() { return object({{"baseInterval", duration()}, {"maxInterval", duration()}}); }

model::JsonSchema rate_limited_back_off() {
  const model::JsonSchema header =
      object({{"name", header_name_schema(), kRequired}, {"format", model::enumeration({"Seconds", "UnixTimestamp"}), kRequired}});
  return object({{"resetHeaders", array(header).keeping_empty()}, {"maxInterval", duration()}});
}

model::JsonSchema http_section() {
  const model::JsonSchema predicate = object(
      {{"predicate", string(), kRequired}, {"tags", model::map_of(string())}, {"updateFrequency", model::int32()}});
  return object({
      {"numRetries", uint32()},
      {"perTryTimeout", duration()},
      {"backOff", back_off()},
      {"rateLimitedBackOff", rate_limited_back_off()},
      {"retryOn", array(string()).keeping_empty()},
      {"retriableResponseHeaders", array(header_match_schema()).keeping_empty()},
      {"retriableRequestHeaders", array(header_match_schema()).keeping_empty()},
      {"hostSelection", array(predicate).keeping_empty()},
      {"hostSelectionMaxAttempts", model::integer()},
  });
}

const model::JsonSchema& conf_schema() {
  static const model::JsonSchema kConf = object({
      {"tcp", object({{"maxConnectAttempt", uint32()}})},
      {"http", http_section()},
      {"grpc", object({{"numRetries", uint32()},
                       {"perTryTimeout", duration()},
                       {"backOff", back_off()},
                       {"rateLimitedBackOff", rate_limited_back_off()},
                       {"retryOn", array(string()).keeping_empty()}})},
  });
  return kConf;
}

const model::JsonSchema& schema() {
  static const model::JsonSchema kSchema = object({
      {"targetRef", target_ref_schema().always(), kRequired},
      {"to", array(item_schema(conf_schema()))},
  });
  return kSchema;
}

bool is_http_condition(std::string_view condition) {
  if (std::find(kHttpConditions.begin(), kHttpConditions.end(), condition) != kHttpConditions.end()) {
    return true;
  }
  uint32_t status = 0;
  const auto [end, failure] = std::from_chars(condition.data(), condition.data() + condition.size(), status);
  return failure == std::errc() && end == condition.data() + condition.size() && model::is_registered_http_status(status);
}

bool is_grpc_condition(std::string_view condition) {
  return std::find(kGrpcConditions.begin(), kGrpcConditions.end(), condition) != kGrpcConditions.end();
}

// What retries over HTTP and gRPC have in common.
void validate_section(const ConfView& section, bool (*is_condition)(std::string_view), Violations& violations) {
  if (const ConfView back = section["backOff"]; back && back.empty()) {
    violations.add(back.path(), "must not be empty");
  }
  if (const ConfView back = section["rateLimitedBackOff"]) {
    const auto interval = back["maxInterval"].duration();
    if (interval && interval->count() <= 0) {
      violations.add(back["maxInterval"].path(), "must be defined and greater than zero");
    }
    if (!back["resetHeaders"]) {
      violations.add(back["resetHeaders"].path(), "must be defined");
    }
  }
  for (const ConfView& condition : section["retryOn"].items()) {
    if (!is_condition(condition.text())) {
      violations.add(condition.path(), "unknown item '{}'", condition.text());
    }
  }
}

void validate_host_selection(const ConfView& selection, Violations& violations) {
  bool has_priorities = false;
  for (const ConfView& item : selection.items()) {
    const ConfView predicate = item["predicate"];
    if (predicate.text() == "OmitHostsWithTags") {
      if (item["tags"].empty()) {
        violations.add(item["tags"].path(), "must be defined");
      }
    } else if (predicate.text() == "OmitPreviousPriorities") {
      if (has_priorities) {
        violations.add(predicate.path(), "OmitPreviousPriorities must only be specified once");
      }
      has_priorities = true;
      if (item["updateFrequency"].number().value_or(0) <= 0) {
        violations.add(item["updateFrequency"].path(), "must be defined and greater than zero");
      }
    } else if (predicate.text() != "OmitPreviousHosts") {
      violations.add(predicate.path(), "unknown predicate type '{}'", predicate.text());
    }
  }
}

// What the reference lets in and Envoy refuses, so that the proxies would keep their old configuration.
void validate_usable_back_off(const ConfView& section, Violations& violations) {
  check_not_negative_duration(section["perTryTimeout"], violations);
  const ConfView base = section["backOff"]["baseInterval"], longest = section["backOff"]["maxInterval"];
  check_positive_duration(base, violations);
  check_positive_duration(longest, violations);
  if (base.duration() && longest.duration() && *longest.duration() < *base.duration()) {
    violations.add(longest.path(), "must not be less than baseInterval");
  }
  if (const ConfView headers = section["rateLimitedBackOff"]["resetHeaders"]; headers && headers.empty()) {
    violations.add(headers.path(), "must be defined");
  }
}

void validate_usable(const ConfView& conf, Violations& violations) {
  validate_usable_back_off(conf["http"], violations);
  validate_usable_back_off(conf["grpc"], violations);
  for (const char* list : {"retriableResponseHeaders", "retriableRequestHeaders"}) {
    for (const ConfView& header : conf["http"][list].items()) {
      check_header_match(header, violations);
    }
  }
}

void validate_conf(const ConfView& conf, Violations& violations) {
  if (!conf.has_any({"tcp", "http", "grpc"})) {
    violations.add(conf.path(), "at least one of the 'tcp', 'http', 'grpc' must be specified");
  }
  if (const ConfView tcp = conf["tcp"]; tcp && !tcp["maxConnectAttempt"]) {
    violations.add(tcp.path(), "must not be empty");
  }
  if (const ConfView http = conf["http"]) {
    if (!http.has_any({"numRetries", "perTryTimeout", "backOff", "retryOn", "retriableResponseHeaders", "retriableRequestHeaders",
                       "rateLimitedBackOff", "hostSelection"})) {
      violations.add(http.path(), "must not be empty");
    }
    validate_section(http, is_http_condition, violations);
    validate_host_selection(http["hostSelection"], violations);
  }
  if (const ConfView grpc = conf["grpc"]) {
    if (grpc.empty()) {
      violations.add(grpc.path(), "must not be empty");
    }
    validate_section(grpc, is_grpc_condition, violations);
  }
}

// Paths have a `conf` that no document has; so do those of the reference.
ConfView with_reference_path(const ConfView& conf) { return conf.at(conf.path().field("conf")); }

void validate(const model::Resource& resource, Violations& violations) {
  const ConfView spec = spec_view(resource);
  validate_target_ref(spec["targetRef"], kAnyProxyOrGateway, violations);
  if (spec["to"].empty()) {
    violations.add(spec["to"].path(), "needs at least one item");
  }
  const bool only_to_mesh = spec["targetRef"]["kind"].text() == "MeshGateway";
  for (const ConfView& item : spec["to"].items()) {
    validate_target_ref(item["targetRef"], only_to_mesh ? kMeshOnly : kMeshOrService, violations);
    validate_conf(with_reference_path(item["default"]), violations);
  }
  if (violations.empty()) {
    for (const ConfView& item : spec["to"].items()) {
      validate_usable(with_reference_path(item["default"]), violations);
    }
  }
}

}  // namespace

model::ResourceType mesh_retry_type() {
  model::ResourceType type =
      target_ref_type("MeshRetry", "meshretry", "meshretries", "Mesh Retry", "Mesh Retries", schema(), validate);
  type.has_to = true;
  return type;
}

absl::Status check_mesh_retry_conf(const json::value& conf) {
  return check_merged(conf, conf_schema(), [](const ConfView& merged, Violations& violations) {
    validate_conf(with_reference_path(merged), violations);
    validate_usable(with_reference_path(merged), violations);
  });
}

}  // namespace kuma::policy
