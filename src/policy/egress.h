#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mesh/mesh_view.h"
#include "policy/policy.h"
#include "policy/refs.h"
#include "policy/rules.h"

namespace kuma::policy {

// A service that an egress leads to.
struct EgressService {
  std::string name;
  mesh::Tags tags;        // that policies select it by: an ExternalService's own, of other zones' services the name alone
  bool external = false;  // outside of the mesh: the egress ends mTLS; otherwise bytes pass through
};

// What one type's policies mean for one service at an egress.
struct EgressRules {
  bool any = false;             // the mesh has policies of the type
  mesh::ResourceList policies;  // those for the service, the widest target first, then by name
  RulesPtr rules;               // never null
};

// The targetRef policies of one mesh at an egress (spec/policy-matching.md §3.7). A type's `apply_egress` gets it once for each
// mesh. The drafts that it may change have Origin::Egress: one listener for all meshes, in which the chains of an external
// service are named chain_name(); a cluster and, for services of other zones, endpoints named cluster_name().
class EgressPolicies {
 public:
  EgressPolicies(const mesh::MeshView& view, std::string listener, std::vector<EgressService> services)
      : view_(view), listener_(std::move(listener)), services_(std::move(services)) {}

  const mesh::MeshView& view() const { return view_; }
  const std::string& listener() const { return listener_; }
  const std::vector<EgressService>& services() const { return services_; }

  std::string chain_name(const EgressService& service) const;    // <service>_<mesh>
  std::string cluster_name(const EgressService& service) const;  // <mesh>:<service>

  // Types with `from`: the rules of the policies whose targetRef selects the service, by client. Types with `to`: the items for
  // the service, of policies for all proxies, as one rule {} or none. An egress can't tell clients apart, so policies for some
  // of them have no effect there; nor do they take away what is for all (the reference drops that as well).
  // One for each of services(), in their order. What can't be made of them is said in `problems`.
  std::vector<EgressRules> match(const model::ResourceType& type, std::vector<Problem>& problems) const;

 private:
  const mesh::MeshView& view_;
  const std::string listener_;
  const std::vector<EgressService> services_;
};

}  // namespace kuma::policy
