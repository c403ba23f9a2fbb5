#include "policy/meshfaultinjection/schema.h"

#include "model/regex.h"
#include "policy/envoy/faults.h"
#include "policy/target_ref_schema.h"

namespace kuma::policy {
namespace {

using model::kRequired;
using model::object;

const model::JsonSchema& conf_schema() {
  static const model::JsonSchema kFault = object({
      {"abort", object({{"httpStatus", model::int32(), kRequired}, {"percentage", model::int_or_string(), kRequired}})},
      {"delay", object({{"value", model::duration(), kRequired}, {"percentage", model::int_or_string(), kRequired}})},
      {"responseBandwidth", object({{"limit", model::string(), kRequired}, {"percentage", model::int_or_string(), kRequired}})},
  });
  static const model::JsonSchema kConf = object({{"http", model::array(kFault).keeping_empty()}});
  return kConf;
}

const model::JsonSchema& schema() {
  static const model::JsonSchema kSchema = object({
      {"targetRef", target_ref_schema().always(), kRequired},
      {"from", model::array(item_schema(conf_schema()))},
  });
  return kSchema;
}

void validate_bandwidth(const ConfView& limit, Violations& violations) {
  if (limit.text().empty()) {
    violations.add(limit.path(), "must be defined");
  } else if (!model::regex_finds("[gmk]bps", limit.text())) {
    violations.add(limit.path(), "has to be in kbps/mbps/gbps units");
  }
}

// Paths put the kind of fault before its index: `http.abort[1].httpStatus`. So do those of the reference.
void validate_fault(const ConfView& fault, const FieldPath& http, size_t index, Violations& violations) {
  if (fault["abort"]) {
    const ConfView abort = fault["abort"].at(http.field("abort").index(index));
    check_http_status(abort["httpStatus"], violations);
    check_percent(abort["percentage"], violations);
  }
  if (fault["delay"]) {
    const ConfView delay = fault["delay"].at(http.field("delay").index(index));
    check_not_negative_duration(delay["value"], violations);
    check_percent(delay["percentage"], violations);
  }
  if (fault["responseBandwidth"]) {
    const ConfView bandwidth = fault["responseBandwidth"].at(http.field("responseBandwidth").index(index));
    validate_bandwidth(bandwidth["limit"].at(bandwidth.path().field("responseBandwidth")), violations);
    check_percent(bandwidth["percentage"], violations);
  }
}

void validate_conf(const ConfView& conf, Violations& violations) {
  const ConfView http = conf["http"];
  for (size_t i = 0; const ConfView& fault : http.items()) {
    validate_fault(fault, http.path(), i++, violations);
  }
}

// What the reference lets in and can't turn into a configuration (a limit that has a unit and no number), or Envoy refuses.
void validate_usable(const ConfView& conf, Violations& violations) {
  for (const ConfView& fault : conf["http"].items()) {
    const ConfView status = fault["abort"]["httpStatus"], limit = fault["responseBandwidth"]["limit"];
    if (status.number() && *status.number() < 200) {
      violations.add(status.path(), "must be in range [200, 600)");
    }
    if (limit && !envoy::parse_bandwidth(limit.text())) {
      violations.add(limit.path(), "has to be a number above 0 in kbps/mbps/gbps units");
    }
  }
}

void validate(const model::Resource& resource, Violations& violations) {
  const ConfView spec = spec_view(resource);
  validate_target_ref(spec["targetRef"], kAnyProxy, violations);
  for (const ConfView& item : spec["from"].items()) {
    validate_target_ref(item["targetRef"], kAnyProxy, violations);
    validate_conf(item["default"], violations);
  }
  if (violations.empty()) {
    for (const ConfView& item : spec["from"].items()) {
      validate_usable(item["default"], violations);
    }
  }
}

}  // namespace

model::ResourceType mesh_fault_injection_type() {
  model::ResourceType type = target_ref_type("MeshFaultInjection", "meshfaultinjection", "meshfaultinjections", "Mesh Fault Injection",
                                             "Mesh Fault Injections", schema(), validate);
  type.has_from = true;
  return type;
}

absl::Status check_mesh_fault_injection_conf(const json::value& conf) {
  return check_merged(conf, conf_schema(), [](const ConfView& merged, Violations& violations) {
    validate_conf(merged, violations);
    validate_usable(merged, violations);
  });
}

}  // namespace kuma::policy
