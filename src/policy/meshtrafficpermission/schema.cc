#include "policy/meshtrafficpermission/schema.h"

#include "policy/target_ref_schema.h"

namespace kuma::policy {
namespace {

using model::kRequired;

const model::JsonSchema& schema() {
  static const model::JsonSchema kSchema = model::object({
      {"targetRef", target_ref_schema().always(), kRequired},
      {"from", model::array(item_schema(model::object({{"action", model::enumeration({"Allow", "Deny", "AllowWithShadowDeny"})}})))},
  });
  return kSchema;
}

void validate(const model::Resource& resource, Violations& violations) {
  const ConfView spec = spec_view(resource);
  validate_target_ref(spec["targetRef"], kAnyProxy, violations);
  if (spec["from"].empty()) {
    violations.add(spec["from"].path(), "needs at least one item");
  }
  for (const ConfView& item : spec["from"].items()) {
    validate_target_ref(item["targetRef"], kAnyProxy, violations);
    const ConfView action = item["default"]["action"];
    if (!action) {
      violations.add(action.path(), "must be defined");
    }
  }
}

}  // namespace

model::ResourceType mesh_traffic_permission_type() {
  model::ResourceType type = target_ref_type("MeshTrafficPermission", "meshtrafficpermission", "meshtrafficpermissions",
                                             "Mesh Traffic Permission", "Mesh Traffic Permissions", schema(), validate);
  type.has_from = true;
  return type;
}

}  // namespace kuma::policy
