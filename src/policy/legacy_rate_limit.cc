#include "mesh/v1alpha1/rate_limit.pb.h"
#include "policy/envoy/client_tags.h"
#include "policy/envoy/deprecated.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/rate_limit.h"
#include "policy/legacy_effects.h"

namespace kuma::policy {

using ::envoy::config::listener::v3::Listener;
using ::envoy::config::route::v3::Route;
using ::envoy::config::route::v3::VirtualHost;
using mesh::v1alpha1::RateLimit;

namespace {

// In front of the route for everybody, which is the last one.
void insert_route(const model::Resource& rate_limit, VirtualHost& host) {
  const Route for_all = host.routes(host.routes_size() - 1);
  Route& limited = *host.mutable_routes(host.routes_size() - 1);
  envoy::match_any_client_tags(source_tags(rate_limit.as<RateLimit>().sources()), *limited.mutable_match()->add_headers());
  limit_rate(rate_limit, limited);
  *host.add_routes() = for_all;
}

}  // namespace

void limit_rate(const model::Resource& rate_limit, Route& route) {
  const auto& conf = rate_limit.as<RateLimit>().conf().http();
  envoy::RefusedAnswer answer;
  if (conf.onratelimit().has_status()) {
    answer.status = conf.onratelimit().status().value();
  }
  for (const auto& header : conf.onratelimit().headers()) {
    auto& option = *answer.headers.Add();
    option.mutable_header()->set_key(header.key());
    option.mutable_header()->set_value(header.value());
    envoy::set_append(option, header.append().value());
  }
  envoy::set_rate_limit({.count = conf.requests(), .interval = envoy::to_nanoseconds(conf.interval())}, answer, route);
}

absl::Status limit_rate_by_source(const model::Resource& rate_limit, envoy::Hcm& hcm) {
  for (auto& host : *hcm.mutable_route_config()->mutable_virtual_hosts()) {
    if (!host.routes().empty()) {
      insert_route(rate_limit, host);
    }
  }
  return envoy::insert_rate_limit(hcm);
}

absl::Status limit_rate_by_source(const model::Resource& rate_limit, Listener& listener) {
  return envoy::edit_hcms(listener, [&](envoy::Hcm& hcm) { return limit_rate_by_source(rate_limit, hcm); });
}

}  // namespace kuma::policy
