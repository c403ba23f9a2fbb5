#include <algorithm>
#include <set>
#include <tuple>

#include "policy/envoy/deprecated.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/legacy_effects.h"
#include "xds/gen/gateway.h"
#include "xds/gen/gateway_policies.h"

namespace kuma::xds::gateway {
namespace {

using ::envoy::config::route::v3::Route;
using ::envoy::config::route::v3::RouteConfiguration;
using ::envoy::config::route::v3::RouteMatch;
using ::envoy::config::route::v3::VirtualHost;
using HttpRoute = MeshGatewayRoute::HttpRoute;
using Match = HttpRoute::Match;
namespace make = policy::envoy;

constexpr char kNoRoute[] = "This is a Kuma MeshGateway. No routes match this MeshGateway!\n";
constexpr std::chrono::seconds kIdleTimeout{5};

// Headers: the method, then exact ones, expressions, those that have to be there, those that must not.
void set_headers(const Match& from, RouteMatch& match) {
  if (from.method() != mesh::v1alpha1::HttpMethod::NONE) {
    auto& header = *match.add_headers();
    header.set_name(":method");
    header.mutable_string_match()->set_exact(mesh::v1alpha1::HttpMethod_Name(from.method()));
  }
  for (auto kind : {Match::Header::EXACT, Match::Header::REGEX, Match::Header::PRESENT, Match::Header::ABSENT}) {
    for (const auto& wanted : from.headers()) {
      if (wanted.match() != kind) {
        continue;
      }
      auto& header = *match.add_headers();
      header.set_name(wanted.name());
      if (kind == Match::Header::EXACT) {
        header.mutable_string_match()->set_exact(wanted.value());
      } else if (kind == Match::Header::REGEX) {
        header.mutable_string_match()->mutable_safe_regex()->set_regex(wanted.value());
      } else {
        header.set_present_match(kind == Match::Header::PRESENT);
      }
    }
  }
}

void set_parameters(const Match& from, RouteMatch& match) {
  for (auto kind : {Match::Query::EXACT, Match::Query::REGEX}) {
    for (const auto& wanted : from.query_parameters()) {
      if (wanted.match() != kind) {
        continue;
      }
      auto& parameter = *match.add_query_parameters();
      parameter.set_name(wanted.name());
      if (kind == Match::Query::EXACT) {
        parameter.mutable_string_match()->set_exact(wanted.value());
      } else {
        parameter.mutable_string_match()->mutable_safe_regex()->set_regex(wanted.value());
      }
    }
  }
}

void forward(const Port& port, const Host& host, const HttpRule& rule, Route& route) {
  std::map<std::string, std::pair<const Destination*, uint32_t>> parts;
  mesh::Protocol protocol = mesh::Protocol::Unknown;  // of the first
  for (const auto& backend : rule.backends()) {
    auto found = host.destinations.find(mesh::to_tags(backend.destination()));
    if (found != host.destinations.end()) {
      protocol = parts.empty() ? found->second.protocol : protocol;
      parts[found->second.cluster] = {&found->second, backend.weight()};
    }
  }
  if (parts.size() == 1) {
    auto& weight = parts.begin()->second.second;
    weight = std::max(weight, 1U);
  }
  if (std::ranges::all_of(parts, [](const auto& part) { return part.second.second == 0; })) {
    route.mutable_direct_response()->set_status(500);  // Envoy refuses a split of nothing
    return;
  }
  auto& action = *route.mutable_route();
  for (const auto& [name, part] : parts) {
    auto& cluster = *action.mutable_weighted_clusters()->add_clusters();
    cluster.set_name(name);
    cluster.mutable_weight()->set_value(part.second);
    if (!part.first->leaves_mesh) {
      auto& header = *cluster.add_request_headers_to_add()->mutable_header();
      header.set_key(std::string(make::kTagsHeader));
      header.set_value(port.tags_header);
    }
  }
  action.set_cluster_not_found_response_code(::envoy::config::route::v3::RouteAction::INTERNAL_SERVER_ERROR);
  *action.mutable_idle_timeout() = make::to_duration(kIdleTimeout);
  const DestinationPolicies policies = policies_of_rule(host, rule);
  if (policies.timeout != nullptr) {
    if (auto request = policy::outbound_timeouts(policies.timeout.get(), protocol).request; request.count() > 0) {
      *action.mutable_timeout() = make::to_duration(request);
    }
  }
  if (auto retries = policy::retry_policy(policies.retry.get(), protocol)) {
    *action.mutable_retry_policy() = *std::move(retries);
  }
  if (policies.rate_limit != nullptr) {
    policy::limit_rate(*policies.rate_limit, route);
  }
}

Route build_route(const Port& port, const Host& host, const HttpEntry& entry) {
  Route route;
  *route.mutable_match() = entry.match;
  if (std::ranges::none_of(entry.rule->filters(), [](const auto& filter) { return filter.has_redirect(); })) {
    forward(port, host, *entry.rule, route);
  }
  apply_filters(port, host, entry, route);
  return route;
}

std::string without_slashes(std::string_view path) {
  while (path.ends_with('/')) {
    path.remove_suffix(1);
  }
  return std::string(path);
}

// Which comes first: exact paths, prefixes, expressions; the longer ones; those with more conditions; by the alphabet.
auto order_of(const Route& route) {
  const RouteMatch& match = route.match();
  int kind = match.path_specifier_case() == RouteMatch::kPath ? 0 : match.path_specifier_case() == RouteMatch::kPrefix ? 1 : 2;
  const std::string& path = kind == 0 ? match.path() : kind == 1 ? match.prefix() : match.safe_regex().regex();
  bool has_method = match.headers_size() > 0 && match.headers(0).name() == ":method";
  return std::tuple(kind, -static_cast<int64_t>(path.size()), !has_method, -(match.headers_size() - (has_method ? 1 : 0)),
                    -match.query_parameters_size(), path);
}

template <typename Visit>
void for_each_match(const Host& host, Visit visit) {
  static const Match kAny;
  for (const auto& route : host.routes) {
    for (const HttpRule& rule : route->as<MeshGatewayRoute>().conf().http().rules()) {
      for (const Match& match : rule.matches()) {
        visit(route, rule, match);
      }
      if (rule.matches().empty()) {
        visit(route, rule, kAny);
      }
    }
  }
}

bool is_path(const Match& match, mesh::v1alpha1::MeshGatewayRoute_HttpRoute_Match_Path_MatchType type) { return match.has_path() && match.path().match() == type; }

}  // namespace

std::vector<HttpEntry> http_entries(const Host& host) {
  std::vector<HttpEntry> entries;
  std::set<std::string> exact;
  for_each_match(host, [&](const model::ResourcePtr&, const HttpRule&, const Match& match) {
    if (is_path(match, Match::Path::EXACT)) {
      exact.insert(match.path().value());
    }
  });
  for_each_match(host, [&](const model::ResourcePtr& route, const HttpRule& rule, const Match& match) {
    auto add = [&](RulePath path) -> RouteMatch& {
      HttpEntry& entry = entries.emplace_back(HttpEntry{.route = route, .rule = &rule, .path = path, .match = {}});
      set_headers(match, entry.match);
      set_parameters(match, entry.match);
      return entry.match;
    };
    if (is_path(match, Match::Path::EXACT)) {
      add({}).set_path(match.path().value());
    } else if (is_path(match, Match::Path::REGEX)) {
      add({}).mutable_safe_regex()->set_regex(match.path().value());
    } else {
      const std::string prefix = without_slashes(match.path().value());
      add({.prefix = true}).set_prefix(prefix + "/");
      if (!prefix.empty() && !exact.contains(prefix)) {
        add({.exact_twin = true}).set_path(prefix);
      }
    }
  });
  return entries;
}

std::vector<Route> build_routes(const Port& port, const Host& host) {
  std::vector<Route> routes;
  for (const HttpEntry& entry : host.entries) {
    routes.push_back(build_route(port, host, entry));
  }
  std::ranges::stable_sort(routes, {}, [](const Route& route) { return order_of(route); });
  return routes;
}

void make_routes(const Port& port, RouteConfiguration& config) {
  config.set_name(port.name);
  config.mutable_validate_clusters()->set_value(false);
  config.set_ignore_port_in_host_matching(true);
  config.add_request_headers_to_remove(std::string(make::kTagsHeader));
  for (const Host& host : port.hosts) {
    VirtualHost& to = *config.add_virtual_hosts();
    to.set_name(host.name);
    to.add_domains(host.name);
    if (port.cross_mesh() || port.first->protocol() == Listener::HTTPS) {
      to.set_require_tls(VirtualHost::ALL);
      auto& option = *to.add_response_headers_to_add();
      option.mutable_header()->set_key("Strict-Transport-Security");
      option.mutable_header()->set_value("max-age=31536000; includeSubDomains");
      make::set_append(option, false);
    }
    for (Route& route : build_routes(port, host)) {
      *to.add_routes() = std::move(route);
    }
    if (to.routes().empty()) {
      Route& route = *to.add_routes();
      route.mutable_match()->set_prefix("/");
      route.mutable_direct_response()->set_status(404);
      route.mutable_direct_response()->mutable_body()->set_inline_string(kNoRoute);
    }
  }
}

}  // namespace kuma::xds::gateway
