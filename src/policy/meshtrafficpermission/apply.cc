#include "policy/meshtrafficpermission/apply.h"

#include <algorithm>

#include "policy/egress.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"
#include "policy/envoy/rbac.h"
#include "policy/meshtrafficpermission/schema.h"

namespace kuma::policy::meshtrafficpermission {
namespace {

using ::envoy::config::listener::v3::Listener;
using ::envoy::config::rbac::v3::RBAC;
using envoy::Principal;

constexpr char kName[] = "MeshTrafficPermission";

Principal principal_of(const Subset& subset, std::string_view mesh) {
  std::vector<Principal> all;
  for (const SubsetTag& tag : subset) {
    Principal principal = envoy::tag_principal(mesh, tag.key, tag.value);
    all.push_back(tag.negated ? envoy::not_principal(std::move(principal)) : std::move(principal));
  }
  return envoy::all_of(std::move(all));
}

std::vector<Principal> principals_with(const Rules& rules, std::string_view action, std::string_view mesh) {
  std::vector<Principal> principals;
  for (const Rule& rule : rules.list()) {
    const json::value* given = find(rule.conf->value, "action");
    if (given != nullptr && given->is_string() && std::string_view(given->get_string()) == action) {
      principals.push_back(principal_of(rule.subset, mesh));
    }
  }
  return principals;
}

// Whoever isn't listed is refused, so `Deny` needs no entry. AllowWithShadowDeny lets in and counts a denial.
envoy::Rbac filter_of(const Rules& rules, std::string_view mesh, std::string_view listener) {
  envoy::Rbac filter = envoy::deny_all(listener);
  std::vector<Principal> allowed = principals_with(rules, "Allow", mesh);
  std::vector<Principal> shadow = principals_with(rules, "AllowWithShadowDeny", mesh);
  allowed.insert(allowed.end(), shadow.begin(), shadow.end());
  if (!allowed.empty()) {
    (*filter.mutable_rules()->mutable_policies())[kName] = envoy::policy_for(allowed);
  }
  if (!shadow.empty()) {
    filter.mutable_shadow_rules()->set_action(RBAC::DENY);
    (*filter.mutable_shadow_rules()->mutable_policies())[kName] = envoy::policy_for(shadow);
  }
  return filter;
}

void replace_filter(const envoy::Rbac& filter, Listener& listener) {
  for (auto& chain : *listener.mutable_filter_chains()) {
    if (chain.transport_socket().name() == envoy::kTlsSocket) {
      envoy::remove_first_filter(chain, envoy::kNetworkRbac);
      envoy::add_filter_first(chain, envoy::kNetworkRbac, filter);
    }
  }
}

// The policies that a listener's rules come from. Rules that let nobody in come from policies all the same.
mesh::ResourceList origins_of(const Rules& rules, const mesh::ResourceList& matched) {
  mesh::ResourceList origins;
  for (const Rule& rule : rules.list()) {
    for (const auto& origin : rule.conf->origins) {
      if (std::ranges::find(origins, origin) == origins.end()) {
        origins.push_back(origin);
      }
    }
  }
  return origins.empty() ? matched : origins;
}

}  // namespace

void apply(const ProxyPolicies& policies, ProxyResources& resources) {
  if (!policies.view().mtls_enabled()) {
    return;  // nobody's identity is known
  }
  const MatchedPolicies& matched = policies.of(kName);
  for (auto& [name, listener] : resources.listeners) {
    if (listener.origin != Origin::Inbound) {
      continue;
    }
    auto rules = matched.from.find({listener.subject->address, listener.subject->port});
    if (rules == matched.from.end()) {
      continue;  // the TrafficPermission stays
    }
    const std::string& mesh = policies.view().name;
    PieceKey fingerprint(kName);
    fingerprint.add(mesh).add(rules->second);
    listener.change(fingerprint, origins_of(*rules->second, matched.policies),
                    [rules = rules->second, mesh, name = name](Listener& message) {
                      replace_filter(filter_of(*rules, mesh, name), message);
                      return absl::OkStatus();
                    });
  }
}

// Who may use external services by way of an egress. As soon as the mesh has one such policy it is these alone that say so, and
// a service that none of them is for is closed.
void apply_egress(const EgressPolicies& policies, ProxyResources& resources) {
  auto listener = resources.listeners.find(policies.listener());
  if (listener == resources.listeners.end()) {
    return;
  }
  static const model::ResourceType kType = mesh_traffic_permission_type();
  const std::string& mesh = policies.view().name;
  const std::vector<EgressRules> all_matched = policies.match(kType, resources.problems);
  for (size_t i = 0; i < all_matched.size(); ++i) {
    const EgressService& service = policies.services()[i];
    const EgressRules& matched = all_matched[i];
    if (!service.external || !matched.any) {
      continue;  // of services of the mesh their own proxies decide
    }
    const mesh::ResourceList& all = policies.view().policies_of(kName);
    const std::string chain_name = policies.chain_name(service);
    // By its content: rules are made anew for each egress.
    const envoy::Rbac filter = filter_of(*matched.rules, mesh, listener->first);
    PieceKey fingerprint(kName);
    fingerprint.add(chain_name).add(envoy::serialize(filter));
    listener->second.change(fingerprint, origins_of(*matched.rules, matched.policies.empty() ? all : matched.policies),
                            [filter, chain_name](Listener& message) {
                              for (auto& chain : *message.mutable_filter_chains()) {
                                if (chain.name() == chain_name) {
                                  envoy::remove_first_filter(chain, envoy::kNetworkRbac);
                                  envoy::add_filter_first(chain, envoy::kNetworkRbac, filter);
                                }
                              }
                              return absl::OkStatus();
                            });
  }
}

}  // namespace kuma::policy::meshtrafficpermission
