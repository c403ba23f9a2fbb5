#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "mesh/mesh_view.h"
#include "policy/matched.h"
#include "policy/rules.h"

namespace kuma::policy {

// Who may call whom in a mesh, by its MeshTrafficPermissions (spec/policy-traffic-permission.md §4): what is not in it need
// not be told to a proxy. It is coarser than what servers enforce, since of a service it knows only the name and the tags
// that Kubernetes gives.
//
// Immutable, made once for all proxies of a mesh. A client that lacks a tag which a rule excludes is not let in by that rule.
class ReachGraph {
 public:
  // `cache` may be null. The view's reach_tags may not.
  ReachGraph(const mesh::MeshView& view, RuleCache* cache);

  // What the services' rules are; services with the same rules share them. Null: nobody may call it.
  const Rules* rules_of(std::string_view service) const;

  // Whether it was made from the same permissions and services that the view has.
  bool is_of(const mesh::MeshView& view) const;

 private:
  mesh::ReachTagsPtr services_;
  std::shared_ptr<const mesh::ResourceList> permissions_;
  absl::flat_hash_map<std::string, RulesPtr> rules_;
};

// Asks the graph for one client, each list of rules once.
class ReachableServices {
 public:
  // Both outlive it. `from`: of each of the client's inbounds, and of its gateway.
  ReachableServices(const ReachGraph& graph, const std::vector<mesh::Tags>& from);

  // Other meshes' services always are.
  bool contains(const mesh::Tags& destination);

 private:
  bool allows(const Rules& rules) const;

  const ReachGraph& graph_;
  std::vector<Subset> from_;
  absl::flat_hash_map<const Rules*, bool> known_;
};

}  // namespace kuma::policy
