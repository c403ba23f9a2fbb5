#include "policy/envoy/rbac.h"

#include "fmt/format.h"
#include "mesh/tags.h"
#include "policy/envoy/names.h"
#include "policy/envoy/tls.h"

namespace kuma::policy::envoy {

Principal tag_principal(std::string_view mesh, std::string_view key, std::string_view value) {
  Principal principal;
  principal.mutable_authenticated()->mutable_principal_name()->set_exact(
      key == mesh::kServiceTag ? spiffe_id(mesh, value) : fmt::format("kuma://{}/{}", key, value));
  return principal;
}

Principal not_principal(Principal principal) {
  Principal negated;
  *negated.mutable_not_id() = std::move(principal);
  return negated;
}

Principal all_of(std::vector<Principal> principals) {
  if (principals.size() == 1) {
    return std::move(principals.front());
  }
  Principal all;
  if (principals.empty()) {
    all.set_any(true);
    return all;
  }
  for (Principal& principal : principals) {
    *all.mutable_and_ids()->add_ids() = std::move(principal);
  }
  return all;
}

Rbac deny_all(std::string_view listener) {
  Rbac rbac;
  rbac.set_stat_prefix(sanitize_stat(listener) + ".");
  rbac.mutable_rules();
  return rbac;
}

::envoy::config::rbac::v3::Policy policy_for(const std::vector<Principal>& principals) {
  ::envoy::config::rbac::v3::Policy policy;
  policy.add_permissions()->set_any(true);
  for (const Principal& principal : principals) {
    *policy.add_principals() = principal;
  }
  return policy;
}

}  // namespace kuma::policy::envoy
