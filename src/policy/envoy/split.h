#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "policy/envoy/destinations.h"
#include "policy/envoy/outbound.h"

namespace kuma::policy::envoy {

// Where a rule of a MeshHTTPRoute or MeshTCPRoute sends requests: its backendRefs as clusters (spec/policy-routes.md §A.5).
struct Split {
  std::vector<WeightedCluster> clusters;
  bool leaves_mesh = false;  // any of them

  bool empty() const { return clusters.empty(); }
};

// Turns backendRefs into clusters, which it puts into the resources, each once. It lives during one application of a policy.
class Splitter {
 public:
  // `protocols`: what a destination may speak.
  Splitter(Destinations& destinations, std::set<mesh::Protocol> protocols)
      : destinations_(destinations), protocols_(std::move(protocols)) {}

  // Empty when there is nothing to send to, or when one of the destinations speaks something else: the others would get its
  // share. References of weight 0 and to what is no service don't count.
  Split split(const json::value& backend_refs);
  // The cluster of a reference, whatever its weight; nothing when it is no service or speaks something else.
  std::optional<std::string> cluster_of(const json::value& ref);

  Destinations& destinations() { return destinations_; }

 private:
  std::optional<mesh::Tags> usable_tags(const json::value& ref);
  std::string put(const mesh::Tags& tags);

  Destinations& destinations_;
  std::set<mesh::Protocol> protocols_;
  std::set<std::string> made_;  // names of clusters
};

}  // namespace kuma::policy::envoy
