#include "mesh/v1alpha1/traffic_permission.pb.h"
#include "policy/legacy_effects.h"

namespace kuma::policy {
namespace {

envoy::Principal principal_of(const mesh::v1alpha1::Selector& source, std::string_view mesh) {
  std::vector<envoy::Principal> all;
  const mesh::Tags tags = mesh::to_tags(source.match());
  for (const auto& [key, value] : tags) {
    if (key != mesh::kServiceTag && value != "*") {
      all.push_back(envoy::tag_principal(mesh, key, value));
    }
  }
  if (auto service = mesh::tag(tags, mesh::kServiceTag); !service.empty() && service != "*") {
    all.push_back(envoy::tag_principal(mesh, mesh::kServiceTag, service));
  }
  return envoy::all_of(std::move(all));
}

}  // namespace

envoy::Rbac permission_filter(const model::Resource* permission, std::string_view mesh, std::string_view listener) {
  envoy::Rbac rbac = envoy::deny_all(listener);
  if (permission != nullptr) {
    std::vector<envoy::Principal> principals;
    for (const auto& source : permission->as<mesh::v1alpha1::TrafficPermission>().sources()) {
      principals.push_back(principal_of(source, mesh));
    }
    (*rbac.mutable_rules()->mutable_policies())[permission->meta.name] = envoy::policy_for(principals);
  }
  return rbac;
}

}  // namespace kuma::policy
