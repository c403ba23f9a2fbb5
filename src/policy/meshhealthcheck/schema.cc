#include "policy/meshhealthcheck/schema.h"

#include "policy/target_ref_schema.h"

namespace kuma::policy {
namespace {

using model::boolean;
using model::duration;
using model::int32;
using model::kRequired;
using model::object;
using model::string;

const model::JsonSchema& conf_schema() {
  static const model::JsonSchema kConf = object({
      {"interval", duration()},
      {"timeout", duration()},
      {"unhealthyThreshold", int32()},
      {"healthyThreshold", int32()},
      {"initialJitter", duration()},
      {"intervalJitter", duration()},
      {"intervalJitterPercent", int32()},
      {"healthyPanicThreshold", model::int_or_string()},
      {"failTrafficOnPanic", boolean()},
      {"eventLogPath", string()},
      {"alwaysLogHealthCheckFailures", boolean()},
      {"noTrafficInterval", duration()},
      {"http", object({{"disabled", boolean()},
                       {"path", string()},
                       {"requestHeadersToAdd", header_values_schema()},
                       {"expectedStatuses", model::array(int32()).keeping_empty()}})},
      {"tcp", object({{"disabled", boolean()}, {"send", string()}, {"receive", model::array(string()).keeping_empty()}})},
      {"grpc", object({{"disabled", boolean()}, {"serviceName", string()}, {"authority", string()}})},
      {"reuseConnection", boolean()},
  });
  return kConf;
}

const model::JsonSchema& schema() {
  static const model::JsonSchema kSchema = object({
      {"targetRef", target_ref_schema().always(), kRequired},
      {"to", model::array(item_schema(conf_schema()))},
  });
  return kSchema;
}

void check_positive_threshold(const ConfView& threshold, Violations& violations) {
  if (threshold.number() && *threshold.number() <= 0) {
    violations.add(threshold.path(), "must be greater than zero when defined");
  }
}

void validate_http(const ConfView& http, Violations& violations) {
  if (http["path"] && http["path"].text().empty()) {
    violations.add(http["path"].path(), "must be defined");
  }
  for (const ConfView& status : http["expectedStatuses"].items()) {
    check_http_status(status, violations);
  }
}

void validate_conf(const ConfView& conf, Violations& violations) {
  check_positive_duration(conf["interval"], violations);
  check_positive_duration(conf["timeout"], violations);
  check_positive_threshold(conf["unhealthyThreshold"], violations);
  check_positive_threshold(conf["healthyThreshold"], violations);
  check_positive_duration(conf["initialJitter"], violations);
  check_positive_duration(conf["intervalJitter"], violations);
  check_whole_percent(conf["intervalJitterPercent"], violations);
  check_percent(conf["healthyPanicThreshold"], violations);
  if (conf["eventLogPath"] && !is_file_path(conf["eventLogPath"].text())) {
    violations.add(conf["eventLogPath"].path(), "has to be a valid path when defined");
  }
  check_positive_duration(conf["noTrafficInterval"], violations);
  if (!conf.has_any({"http", "tcp", "grpc"})) {
    violations.add(conf.path(), "must have at least one defined: http, tcp, grpc");
  }
  validate_http(conf["http"], violations);
}

// What the reference lets in and Envoy refuses.
void validate_usable(const ConfView& conf, Violations& violations) {
  check_header_values(conf["http"]["requestHeadersToAdd"], violations);
  for (const ConfView& text : {conf["http"]["path"], conf["grpc"]["authority"]}) {
    check_header_value(text, violations);
  }
}

void validate(const model::Resource& resource, Violations& violations) {
  const ConfView spec = spec_view(resource);
  validate_target_ref(spec["targetRef"], kAnyProxyOrGateway, violations);
  for (const ConfView& item : spec["to"].items()) {
    validate_target_ref(item["targetRef"], kMeshOrService, violations);
    validate_conf(item["default"], violations);
  }
  if (violations.empty()) {
    for (const ConfView& item : spec["to"].items()) {
      validate_usable(item["default"], violations);
    }
  }
}

}  // namespace

model::ResourceType mesh_health_check_type() {
  model::ResourceType type = target_ref_type("MeshHealthCheck", "meshhealthcheck", "meshhealthchecks", "Mesh Health Check",
                                             "Mesh Health Checks", schema(), validate);
  type.has_to = true;
  return type;
}

absl::Status check_mesh_health_check_conf(const json::value& conf) {
  return check_merged(conf, conf_schema(), [](const ConfView& merged, Violations& violations) {
    validate_conf(merged, violations);
    validate_usable(merged, violations);
  });
}

}  // namespace kuma::policy
