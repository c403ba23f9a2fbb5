#include "policy/meshtimeout/schema.h"

#include "policy/target_ref_schema.h"

namespace kuma::policy {
namespace {

using model::kRequired;

const model::JsonSchema& schema() {
  using model::duration;
  static const model::JsonSchema kConf = model::object({
      {"connectionTimeout", duration()},
      {"idleTimeout", duration()},
      {"http", model::object({{"requestTimeout", duration()},
                              {"streamIdleTimeout", duration()},
                              {"maxStreamDuration", duration()},
                              {"maxConnectionDuration", duration()}})},
  });
  static const model::JsonSchema kSchema = model::object({
      {"targetRef", target_ref_schema().always(), kRequired},
      {"to", model::array(item_schema(kConf))},
      {"from", model::array(item_schema(kConf))},
  });
  return kSchema;
}

void refuse_for_route(const ConfView& timeout, Violations& violations) {
  if (timeout) {
    violations.add(timeout.path(), "can't be specified when top-level TargetRef is referencing MeshHTTPRoute");
  }
}

void validate_conf(const ConfView& conf, bool for_route, Violations& violations) {
  if (!conf.has_any({"connectionTimeout", "idleTimeout", "http"})) {
    violations.add(conf.path(), "at least one timeout should be configured");
    return;
  }
  const ConfView http = conf["http"];
  if (for_route) {
    refuse_for_route(conf["connectionTimeout"], violations);
    refuse_for_route(conf["idleTimeout"], violations);
    refuse_for_route(http["maxStreamDuration"], violations);
    refuse_for_route(http["maxConnectionDuration"], violations);
  }
  check_positive_duration(conf["connectionTimeout"], violations);
  check_not_negative_duration(conf["idleTimeout"], violations);
  if (http && http.empty()) {
    violations.add(http.path(), "at least one timeout in this section should be configured");
  }
  for (const char* timeout : {"requestTimeout", "streamIdleTimeout", "maxStreamDuration", "maxConnectionDuration"}) {
    check_not_negative_duration(http[timeout], violations);
  }
}

void validate(const model::Resource& resource, Violations& violations) {
  const ConfView spec = spec_view(resource);
  validate_target_ref(spec["targetRef"],
                      {TargetKind::Mesh, TargetKind::MeshSubset, TargetKind::MeshGateway, TargetKind::MeshService,
                       TargetKind::MeshServiceSubset, TargetKind::MeshHTTPRoute},
                      violations);
  const std::string_view top = spec["targetRef"]["kind"].text();
  const bool for_route = top == "MeshHTTPRoute";
  const bool only_to_mesh = for_route || top == "MeshGateway";
  if (spec["from"].empty() && spec["to"].empty()) {
    violations.add(spec.path(), "at least one of 'from', 'to' has to be defined");
  }
  if (only_to_mesh && !spec["from"].empty()) {
    violations.add(spec["from"].path(), "must not be defined");
  } else {
    for (const ConfView& item : spec["from"].items()) {
      validate_target_ref(item["targetRef"], kMeshOnly, violations);
      validate_conf(item["default"], for_route, violations);
    }
  }
  for (const ConfView& item : spec["to"].items()) {
    validate_target_ref(item["targetRef"], only_to_mesh ? kMeshOnly : kMeshOrService, violations);
    validate_conf(item["default"], for_route, violations);
  }
}

}  // namespace

model::ResourceType mesh_timeout_type() {
  model::ResourceType type =
      target_ref_type("MeshTimeout", "meshtimeout", "meshtimeouts", "Mesh Timeout", "Mesh Timeouts", schema(), validate);
  type.has_to = type.has_from = true;
  return type;
}

}  // namespace kuma::policy
