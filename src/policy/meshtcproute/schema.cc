#include "policy/meshtcproute/schema.h"

#include "policy/target_ref_schema.h"

namespace kuma::policy {
namespace {

using model::array;
using model::kRequired;
using model::object;

const model::JsonSchema& schema() {
  static const model::JsonSchema kRule = object({
      {"default", object({{"backendRefs", array(backend_ref_schema()).items(1), kRequired}}), kRequired},
  });
  static const model::JsonSchema kSchema = object({
      {"targetRef", target_ref_schema().always(), kRequired},
      {"to",
       array(object({{"targetRef", target_ref_schema(), kRequired}, {"rules", array(kRule).items(std::nullopt, 1)}})).items(1)},
  });
  return kSchema;
}

void validate(const model::Resource& resource, Violations& violations) {
  const ConfView spec = spec_view(resource);
  validate_target_ref(spec["targetRef"], kAnyProxy, violations);
  for (const ConfView& item : spec["to"].items()) {
    validate_target_ref(item["targetRef"], {TargetKind::MeshService}, violations);
    for (const ConfView& rule : item["rules"].items()) {
      for (const ConfView& backend : rule["default"]["backendRefs"].items()) {
        validate_target_ref(backend, {TargetKind::MeshService, TargetKind::MeshServiceSubset}, violations);
      }
    }
  }
}

// A destination without rules is sent to as a whole.
json::value conf_of_item(const json::value& item) {
  const json::value* rules = find(item, "rules");
  if (rules != nullptr && rules->is_array() && !rules->get_array().empty()) {
    return rules->get_array().front();
  }
  const json::value* target = find(item, "targetRef");
  json::value ref = target == nullptr ? json::value(json::object()) : *target;
  if (json::object* members = ref.if_object()) {
    members->emplace("weight", 1);
  }
  return json::object{{"default", json::object{{"backendRefs", json::array{std::move(ref)}}}}};
}

}  // namespace

model::ResourceType mesh_tcp_route_type() {
  model::ResourceType type =
      target_ref_type("MeshTCPRoute", "meshtcproute", "meshtcproutes", "Mesh TCP Route", "Mesh TCP Routes", schema(), validate);
  type.has_to = true;
  type.conf_of_item = conf_of_item;
  return type;
}

}  // namespace kuma::policy
