#include "api/kubernetes_form.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "model/rest.h"

namespace kuma::api {
namespace {

// Kinds that live in a namespace, besides the targetRef policies.
constexpr std::array<std::string_view, 6> kNamespacedKinds = {
    "Dataplane", "DataplaneInsight", "ZoneIngress", "ZoneIngressInsight", "ZoneEgress", "ZoneEgressInsight"};

bool is_namespaced(const model::ResourceType& type) {
  return type.is_target_ref ||
         std::find(kNamespacedKinds.begin(), kNamespacedKinds.end(), type.name) != kNamespacedKinds.end();
}

}  // namespace

json::object to_kubernetes(const model::Resource& resource, std::string_view namespace_name,
                           std::string_view system_namespace) {
  const model::ResourceType& type = *resource.type;
  json::object metadata;
  metadata["name"] = resource.meta.name;
  if (is_namespaced(type)) {
    metadata["namespace"] = namespace_name.empty() ? system_namespace : namespace_name;
  }
  metadata["creationTimestamp"] = format_rfc3339(std::chrono::floor<std::chrono::seconds>(resource.meta.creation_time));
  if (type.is_target_ref) {
    metadata["labels"] = json::object{{"kuma.io/mesh", resource.meta.mesh}};
  }
  json::object out;
  out["kind"] = type.name;
  out["apiVersion"] = "kuma.io/v1alpha1";
  out["metadata"] = std::move(metadata);
  if (type.scope == model::Scope::Mesh && !type.is_target_ref) {
    out["mesh"] = resource.meta.mesh;
  }
  out[type.name == "DataplaneInsight" ? "status" : "spec"] = model::spec_to_json(resource);
  return out;
}

}  // namespace kuma::api
