#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "policy/envoy/split.h"

namespace kuma::policy::meshhttproute {

// A rule with its destinations settled: what Envoy's routes are made from (spec/policy-routes.md §A.6).
struct HttpRule {
  std::string name;      // of all its routes
  json::value matches;   // each with a path
  json::value filters;   // null: none
  envoy::Split split;
  // The cluster of each RequestMirror in `filters`, in order; empty: it can't be reached, nothing is mirrored.
  std::vector<std::string> mirrors;
};

// One or two routes for each match, at the end of those that the host has. Pure.
void add_routes(const HttpRule& rule, ::envoy::config::route::v3::VirtualHost& host);

}  // namespace kuma::policy::meshhttproute
