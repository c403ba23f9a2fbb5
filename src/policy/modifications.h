#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "policy/proxy_resources.h"

namespace kuma::policy {

// Changes of generated Envoy resources that users write themselves: a MeshProxyPatch's and a ProxyTemplate's are the same but
// for their spelling (spec/policy-proxy-patch.md §3). What can't be done on a resource is left out there and becomes a Problem
// of the policy.
struct Modification {
  enum class Target { Cluster, Listener, NetworkFilter, HttpFilter, VirtualHost };
  enum class Operation { Add, Remove, Patch, AddFirst, AddBefore, AddAfter, AddLast };

  Target target = Target::Cluster;
  Operation operation = Operation::Patch;
  // What it is for; all that is given has to be equal.
  std::optional<std::string> origin;
  std::optional<std::string> name;            // of the cluster, the listener, the filter, the virtual host
  std::optional<std::string> listener_name;   // filters
  std::optional<std::string> route_config;    // virtual hosts
  mesh::Tags listener_tags;                   // listeners and filters; `*` is any value
  std::string value;                          // YAML
  json::array json_patches;                   // Patch: instead of `value`
};

// In order: each sees what the ones before it did. What is added has the origin `added`.
void apply_modifications(const std::vector<Modification>& modifications, const model::ResourcePtr& policy, Origin added,
                         ProxyResources& resources);

}  // namespace kuma::policy
