#include "policy/meshcircuitbreaker/schema.h"

#include "policy/target_ref_schema.h"

namespace kuma::policy {
namespace {

using model::duration;
using model::kRequired;
using model::object;
using model::uint32;

model::JsonSchema outlier_detection() {
  const model::JsonSchema consecutive = object({{"consecutive", uint32()}});
  return object({
      {"disabled", model::boolean()},
      {"interval", duration()},
      {"baseEjectionTime", duration()},
      {"maxEjectionPercent", uint32()},
      {"splitExternalAndLocalErrors", model::boolean()},
      {"detectors",
       object({{"totalFailures", consecutive},
               {"gatewayFailures", consecutive},
               {"localOriginFailures", consecutive},
               {"successRate",
                object({{"minimumHosts", uint32()}, {"requestVolume", uint32()}, {"standardDeviationFactor", model::int_or_string()}})},
               {"failurePercentage", object({{"minimumHosts", uint32()}, {"requestVolume", uint32()}, {"threshold", uint32()}})}})},
  });
}

const model::JsonSchema& conf_schema() {
  static const model::JsonSchema kConf = object({
      {"connectionLimits", object({{"maxConnections", uint32()},
                                   {"maxConnectionPools", uint32()},
                                   {"maxPendingRequests", uint32()},
                                   {"maxRetries", uint32()},
                                   {"maxRequests", uint32()}})},
      {"outlierDetection", outlier_detection()},
  });
  return kConf;
}

const model::JsonSchema& schema() {
  static const model::JsonSchema kSchema = object({
      {"targetRef", target_ref_schema().always(), kRequired},
      {"to", model::array(item_schema(conf_schema()))},
      {"from", model::array(item_schema(conf_schema()))},
  });
  return kSchema;
}

void validate_deviation_factor(const ConfView& factor, Violations& violations) {
  if (!factor) {
    return;
  }
  if (!factor.decimal()) {
    violations.add(factor.path(), "invalid number");
  } else if (*factor.decimal() <= 0) {
    violations.add(factor.path(), "must be greater than 0");
  }
}

void validate_detectors(const ConfView& detectors, Violations& violations) {
  if (!detectors) {
    violations.add(detectors.path(), "must be defined");
    return;
  }
  if (detectors.empty()) {
    violations.add(detectors.path(),
                   "must have at least one defined: totalFailures, gatewayFailures, localOriginFailures, successRate, failurePercentage");
  }
  for (const char* detector : {"totalFailures", "gatewayFailures", "localOriginFailures"}) {
    check_positive(detectors[detector]["consecutive"], violations);
  }
  const ConfView rate = detectors["successRate"];
  check_positive(rate["minimumHosts"], violations);
  check_positive(rate["requestVolume"], violations);
  validate_deviation_factor(rate["standardDeviationFactor"], violations);
  const ConfView percentage = detectors["failurePercentage"];
  check_positive(percentage["minimumHosts"], violations);
  check_positive(percentage["requestVolume"], violations);
  check_whole_percent(percentage["threshold"], violations);
}

void validate_conf(const ConfView& conf, Violations& violations) {
  if (!conf.has_any({"connectionLimits", "outlierDetection"})) {
    violations.add(conf.path(), "at least one of: 'connectionLimits' or 'outlierDetection' should be configured");
  }
  for (const char* limit : {"maxConnections", "maxConnectionPools", "maxPendingRequests", "maxRetries", "maxRequests"}) {
    check_positive(conf["connectionLimits"][limit], violations);
  }
  if (const ConfView outliers = conf["outlierDetection"]) {
    check_positive_duration(outliers["interval"], violations);
    check_positive_duration(outliers["baseEjectionTime"], violations);
    check_whole_percent(outliers["maxEjectionPercent"], violations);
    validate_detectors(outliers["detectors"], violations);
  }
}

// What the reference lets in and Envoy has no room for: it counts thousandths in 32 bits.
void validate_usable(const ConfView& conf, Violations& violations) {
  static constexpr double kFactorMax = 4'294'967;
  const ConfView factor = conf["outlierDetection"]["detectors"]["successRate"]["standardDeviationFactor"];
  if (factor.decimal() && *factor.decimal() > kFactorMax) {
    violations.add(factor.path(), "must not be greater than {}", static_cast<int64_t>(kFactorMax));
  }
}

void validate(const model::Resource& resource, Violations& violations) {
  const ConfView spec = spec_view(resource);
  validate_target_ref(spec["targetRef"], kAnyProxy, violations);
  if (spec["from"].empty() && spec["to"].empty()) {
    violations.add(spec.path(), "at least one of 'from', 'to' has to be defined");
  }
  for (const ConfView& item : spec["from"].items()) {
    validate_target_ref(item["targetRef"], kMeshOnly, violations);
    validate_conf(item["default"], violations);
  }
  for (const ConfView& item : spec["to"].items()) {
    validate_target_ref(item["targetRef"], kMeshOrService, violations);
    validate_conf(item["default"], violations);
  }
  if (violations.empty()) {
    for (const char* list : {"from", "to"}) {
      for (const ConfView& item : spec[list].items()) {
        validate_usable(item["default"], violations);
      }
    }
  }
}

}  // namespace

model::ResourceType mesh_circuit_breaker_type() {
  model::ResourceType type = target_ref_type("MeshCircuitBreaker", "meshcircuitbreaker", "meshcircuitbreakers", "Mesh Circuit Breaker",
                                             "Mesh Circuit Breakers", schema(), validate);
  type.has_to = type.has_from = true;
  return type;
}

absl::Status check_mesh_circuit_breaker_conf(const json::value& conf) {
  return check_merged(conf, conf_schema(), [](const ConfView& merged, Violations& violations) {
    validate_conf(merged, violations);
    validate_usable(merged, violations);
  });
}

}  // namespace kuma::policy
