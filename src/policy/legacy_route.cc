#include <map>
#include <string>

#include "policy/envoy/deprecated.h"
#include "policy/legacy_effects.h"

namespace kuma::policy {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::core::v3::HeaderValueOption;
using ::envoy::config::route::v3::HeaderMatcher;
using ::envoy::config::route::v3::Route;
using ::envoy::config::route::v3::RouteAction;
using ::envoy::config::route::v3::RouteMatch;
using mesh::v1alpha1::TrafficRoute;
using StringMatcher = TrafficRoute::Http::Match::StringMatcher;

void set_header(HeaderMatcher& header, const std::string& name, const StringMatcher& matcher) {
  header.set_name(name);
  switch (matcher.matcherType_case()) {
    case StringMatcher::kPrefix:
      envoy::set_header_prefix(header, matcher.prefix());
      break;
    case StringMatcher::kExact:
      header.mutable_string_match()->set_exact(matcher.exact());
      break;
    case StringMatcher::kRegex:
      envoy::set_header_regex(header, matcher.regex());
      break;
    case StringMatcher::MATCHERTYPE_NOT_SET:
      header.set_present_match(true);
      break;
  }
}

void set_path(const StringMatcher& path, RouteMatch& route) {
  switch (path.matcherType_case()) {
    case StringMatcher::kPrefix:
      route.set_prefix(path.prefix());
      break;
    case StringMatcher::kExact:
      route.set_path(path.exact());
      break;
    case StringMatcher::kRegex:
      envoy::set_regex(*route.mutable_safe_regex(), path.regex());
      break;
    case StringMatcher::MATCHERTYPE_NOT_SET:
      route.set_prefix("/");
      break;
  }
}

void add_headers(const TrafficRoute::Http::Modify::Headers& headers,
                 google::protobuf::RepeatedPtrField<HeaderValueOption>* added,
                 google::protobuf::RepeatedPtrField<std::string>* removed) {
  for (const auto& add : headers.add()) {
    HeaderValueOption& option = *added->Add();
    option.mutable_header()->set_key(add.name());
    option.mutable_header()->set_value(add.value());
    envoy::set_append(option, add.append());
  }
  for (const auto& remove : headers.remove()) {
    *removed->Add() = remove.name();
  }
}

void set_host(const TrafficRoute::Http::Modify::Host& host, RouteAction& action) {
  if (host.has_frompath()) {
    auto& rewrite = *action.mutable_host_rewrite_path_regex();
    envoy::set_regex(*rewrite.mutable_pattern(), host.frompath().pattern());
    rewrite.set_substitution(host.frompath().substitution());
  } else if (host.type_case() == TrafficRoute::Http::Modify::Host::kValue) {
    action.set_host_rewrite_literal(host.value());
  }
}

}  // namespace

void apply_load_balancer(const TrafficRoute::LoadBalancer& balancer, Cluster& cluster) {
  static constexpr uint32_t kChoiceCountDefault = 2;
  switch (balancer.lb_type_case()) {
    case TrafficRoute::LoadBalancer::kLeastRequest: {
      cluster.set_lb_policy(Cluster::LEAST_REQUEST);
      uint32_t choices = balancer.least_request().choice_count();
      cluster.mutable_least_request_lb_config()->mutable_choice_count()->set_value(choices == 0 ? kChoiceCountDefault
                                                                                                : choices);
      break;
    }
    case TrafficRoute::LoadBalancer::kRingHash: {
      cluster.set_lb_policy(Cluster::RING_HASH);
      const auto& ring = balancer.ring_hash();
      auto& config = *cluster.mutable_ring_hash_lb_config();
      config.set_hash_function(ring.hash_function() == "MURMUR_HASH_2" ? Cluster::RingHashLbConfig::MURMUR_HASH_2
                                                                       : Cluster::RingHashLbConfig::XX_HASH);
      config.mutable_minimum_ring_size()->set_value(ring.min_ring_size());
      config.mutable_maximum_ring_size()->set_value(ring.max_ring_size());
      break;
    }
    case TrafficRoute::LoadBalancer::kRandom:
      cluster.set_lb_policy(Cluster::RANDOM);
      break;
    case TrafficRoute::LoadBalancer::kMaglev:
      cluster.set_lb_policy(Cluster::MAGLEV);
      break;
    case TrafficRoute::LoadBalancer::kRoundRobin:
    case TrafficRoute::LoadBalancer::LB_TYPE_NOT_SET:
      break;
  }
}

void apply_match(const TrafficRoute::Http::Match& match, RouteMatch& route) {
  set_path(match.path(), route);
  std::map<std::string, const StringMatcher*> sorted;
  for (const auto& [name, matcher] : match.headers()) {
    sorted.emplace(name, &matcher);
  }
  for (const auto& [name, matcher] : sorted) {
    set_header(*route.add_headers(), name, *matcher);
  }
  if (match.has_method()) {
    set_header(*route.add_headers(), ":method", match.method());
  }
}

void apply_modify(const TrafficRoute::Http::Modify& modify, Route& route) {
  RouteAction& action = *route.mutable_route();
  if (modify.path().has_regex()) {
    auto& rewrite = *action.mutable_regex_rewrite();
    envoy::set_regex(*rewrite.mutable_pattern(), modify.path().regex().pattern());
    rewrite.set_substitution(modify.path().regex().substitution());
  } else if (modify.path().type_case() == TrafficRoute::Http::Modify::Path::kRewritePrefix) {
    action.set_prefix_rewrite(modify.path().rewriteprefix());
  }
  set_host(modify.host(), action);
  add_headers(modify.requestheaders(), route.mutable_request_headers_to_add(), route.mutable_request_headers_to_remove());
  add_headers(modify.responseheaders(), route.mutable_response_headers_to_add(),
              route.mutable_response_headers_to_remove());
}

}  // namespace kuma::policy
