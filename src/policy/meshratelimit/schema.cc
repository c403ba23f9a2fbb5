#include "policy/meshratelimit/schema.h"

#include <chrono>

#include "policy/target_ref_schema.h"

namespace kuma::policy {
namespace {

using model::kRequired;
using model::object;

model::JsonSchema rate() {
  return object({{"num", model::uint32(), kRequired}, {"interval", model::duration(), kRequired}});
}

const model::JsonSchema& conf_schema() {
  static const model::JsonSchema kConf = object({
      {"local",
       object({{"http", object({{"disabled", model::boolean()},
                                {"requestRate", rate()},
                                {"onRateLimit", object({{"status", model::uint32()}, {"headers", header_values_schema()}})}})},
               {"tcp", object({{"disabled", model::boolean()}, {"connectionRate", rate()}})}})},
  });
  return kConf;
}

const model::JsonSchema& schema() {
  static const model::JsonSchema kSchema = object({
      {"targetRef", target_ref_schema().always(), kRequired},
      {"from", model::array(item_schema(conf_schema()))},
  });
  return kSchema;
}

void validate_rate(const ConfView& given, Violations& violations) {
  check_positive(given["num"], violations);
  const auto interval = given["interval"].duration();
  if (interval && *interval <= std::chrono::milliseconds(50)) {
    violations.add(given["interval"].path(), "must be greater than: 50ms");
  }
}

void validate_local(const ConfView& local, Violations& violations) {
  if (!local) {
    violations.add(local.path(), "must be defined");
    return;
  }
  if (!local.has_any({"tcp", "http"})) {
    violations.add(local.path(), "must have at least one defined: tcp, http");
  }
  if (const ConfView http = local["http"]) {
    if (!http.has_any({"disabled", "requestRate", "onRateLimit"})) {
      violations.add(http.path(), "must have at least one defined: disabled, requestRate, onRateLimit");
    }
    validate_rate(http["requestRate"], violations);
    check_positive(http["onRateLimit"]["status"], violations);
  }
  if (const ConfView tcp = local["tcp"]) {
    if (!tcp.has_any({"disabled", "connectionRate"})) {
      violations.add(tcp.path(), "must have at least one defined: disabled, connectionRate");
    }
    validate_rate(tcp["connectionRate"], violations);
  }
}

// What the reference lets in and Envoy refuses.
void validate_usable(const ConfView& local, Violations& violations) {
  check_header_values(local["http"]["onRateLimit"]["headers"], violations);
}

void validate(const model::Resource& resource, Violations& violations) {
  const ConfView spec = spec_view(resource);
  validate_target_ref(spec["targetRef"], kAnyProxy, violations);
  if (spec["from"].empty()) {
    violations.add(spec["from"].path(), "needs at least one item");
  }
  for (const ConfView& item : spec["from"].items()) {
    validate_target_ref(item["targetRef"], kMeshOnly, violations);
    validate_local(item["default"]["local"], violations);
  }
  if (violations.empty()) {
    for (const ConfView& item : spec["from"].items()) {
      validate_usable(item["default"]["local"], violations);
    }
  }
}

}  // namespace

model::ResourceType mesh_rate_limit_type() {
  model::ResourceType type =
      target_ref_type("MeshRateLimit", "meshratelimit", "meshratelimits", "Mesh Rate Limit", "Mesh Rate Limits", schema(), validate);
  type.has_from = true;
  return type;
}

absl::Status check_mesh_rate_limit_conf(const json::value& conf) {
  return check_merged(conf, conf_schema(), [](const ConfView& merged, Violations& violations) {
    validate_local(merged["local"], violations);
    validate_usable(merged["local"], violations);
  });
}

}  // namespace kuma::policy
