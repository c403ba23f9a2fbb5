#include "policy/meshhttproute/http_rule.h"

#include "policy/conf_view.h"
#include "policy/envoy/deprecated.h"
#include "policy/envoy/filters.h"
#include "policy/meshhttproute/http_filters.h"

namespace kuma::policy::meshhttproute {
namespace {

using ::envoy::config::route::v3::Route;
using ::envoy::config::route::v3::RouteMatch;
using ::envoy::config::route::v3::VirtualHost;

void add_header(std::string_view name, std::string_view type, std::string value, RouteMatch& match) {
  for (const auto& header : match.headers()) {
    if (header.name() == name) {
      return;  // the first one counts
    }
  }
  auto& header = *match.add_headers();
  header.set_name(std::string(name));
  if (type == "Present" || (type == "Prefix" && value.empty())) {
    header.set_present_match(true);
  } else if (type == "Absent") {
    header.set_present_match(false);
  } else if (type == "Prefix") {
    header.mutable_string_match()->set_prefix(std::move(value));
  } else if (type == "RegularExpression") {
    envoy::set_regex(*header.mutable_string_match()->mutable_safe_regex(), value);
  } else {
    header.mutable_string_match()->set_exact(std::move(value));
  }
}

// All but the path.
void set_conditions(const ConfView& from, RouteMatch& match) {
  if (from["method"]) {
    add_header(":method", "Exact", std::string(from["method"].text()), match);
  }
  for (const ConfView& header : from["headers"].items()) {
    add_header(header["name"].text(), header["type"].text(), std::string(header["value"].text()), match);
  }
  for (const ConfView& from_parameter : from["queryParams"].items()) {
    auto& parameter = *match.add_query_parameters();
    parameter.set_name(std::string(from_parameter["name"].text()));
    std::string value(from_parameter["value"].text());
    if (from_parameter["type"].text() == "RegularExpression") {
      envoy::set_regex(*parameter.mutable_string_match()->mutable_safe_regex(), value);
    } else {
      parameter.mutable_string_match()->set_exact(std::move(value));
    }
  }
}

void set_action(const HttpRule& rule, Route& route) {
  auto& action = *route.mutable_route();
  if (rule.split.clusters.size() == 1) {
    action.set_cluster(rule.split.clusters.front().name);
  } else {
    for (const envoy::WeightedCluster& cluster : rule.split.clusters) {
      auto& weighted = *action.mutable_weighted_clusters()->add_clusters();
      weighted.set_name(cluster.name);
      weighted.mutable_weight()->set_value(cluster.weight);
    }
  }
  *action.mutable_timeout() = envoy::to_duration(std::chrono::nanoseconds(0));
  if (rule.split.leaves_mesh) {
    action.mutable_auto_host_rewrite()->set_value(true);
  }
}

// A route for what `from` says, with the path left to the caller.
Route& add_route(const HttpRule& rule, const ConfView& from, bool whole_path, VirtualHost& host) {
  Route& route = *host.add_routes();
  route.set_name(rule.name);
  set_conditions(from, *route.mutable_match());
  set_action(rule, route);
  apply_filters(ConfView(&rule.filters, FieldPath()), rule.mirrors, whole_path, route);
  return route;
}

}  // namespace

void add_routes(const HttpRule& rule, VirtualHost& host) {
  for (const ConfView& from : ConfView(&rule.matches, FieldPath()).items()) {
    const std::string_view type = from["path"]["type"].text();
    const std::string value(from["path"]["value"].text());
    if (type == "RegularExpression") {
      envoy::set_regex(*add_route(rule, from, true, host).mutable_match()->mutable_safe_regex(), value);
    } else if (type == "Exact") {
      add_route(rule, from, true, host).mutable_match()->set_path(value);
    } else if (value == "/") {
      add_route(rule, from, false, host).mutable_match()->set_prefix("/");
    } else {  // whole segments: /v1 is no prefix of /v10
      add_route(rule, from, true, host).mutable_match()->set_path(value);
      add_route(rule, from, false, host).mutable_match()->set_prefix(value + "/");
    }
  }
}

}  // namespace kuma::policy::meshhttproute
