#include "policy/policy.h"

#include "model/json_schema.h"
#include "policy/meshtrafficpermission/apply.h"

namespace kuma::policy {
namespace {

const model::JsonSchema& target_ref() {
  static const model::JsonSchema kSchema = model::object({{"kind", model::string(), false},
                                                          {"name", model::string(), false},
                                                          {"tags", model::map_of(model::string()), false},
                                                          {"mesh", model::string(), false}});
  return kSchema;
}

model::ResourceType mesh_traffic_permission() {
  static const model::JsonSchema kSpec = model::object(
      {{"targetRef", target_ref(), true},
       {"from",
        model::array(model::object(
            {{"targetRef", target_ref(), true},
             {"default", model::object({{"action", model::enumeration({"Allow", "Deny", "AllowWithShadowDeny"}), false}}), false}})),
        false}});
  model::ResourceType type;
  type.name = "MeshTrafficPermission";
  type.path = type.kumactl_plural = "meshtrafficpermissions";
  type.kumactl_singular = "meshtrafficpermission";
  type.display_singular = "Mesh Traffic Permission";
  type.display_plural = "Mesh Traffic Permissions";
  type.is_policy = type.inspectable = type.is_target_ref = type.has_from = true;
  type.kds = model::KdsDirection::GlobalToZone;
  type.schema = &kSpec;
  return type;
}

}  // namespace

const std::vector<Policy>& policies() {
  static const std::vector<Policy> kPolicies = {{mesh_traffic_permission(), meshtrafficpermission::apply}};
  return kPolicies;
}

std::vector<model::ResourceType> policy_types() {
  std::vector<model::ResourceType> types;
  for (const Policy& policy : policies()) {
    types.push_back(policy.type);
  }
  return types;
}

}  // namespace kuma::policy
