#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/resource.h"
#include "store/store.h"

namespace kuma::mads {

// A dataplane that Prometheus is to scrape (spec/policy-observability.md §6.3).
struct Assignment {
  std::string mesh;
  std::string dataplane;
  std::string service;  // that the dataplane is known by
  std::string scheme;   // http, https
  std::string address;  // host:port of the metrics listener
  std::string metrics_path;
  std::map<std::string, std::string> labels;
};

// All dataplanes of all meshes that have Prometheus enabled, by mesh, then name.
std::vector<Assignment> find_assignments(const model::Registry& registry, const store::Store& store);

// What Prometheus is told, in both forms of the protocol; the same assignments give the same snapshot.
struct Snapshot {
  std::string version;
  json::value http;   // {version_info, resources, type_url}
  std::string grpc;   // a DiscoveryResponse without nonce, serialized
};
Snapshot make_snapshot(const std::vector<Assignment>& assignments);

inline constexpr std::string_view kTypeUrl = "type.googleapis.com/kuma.observability.v1.MonitoringAssignment";

}  // namespace kuma::mads
