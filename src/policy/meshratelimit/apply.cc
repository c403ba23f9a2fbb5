#include "policy/meshratelimit/apply.h"

#include "base/status.h"
#include "fmt/format.h"
#include "policy/conf_view.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/rate_limit.h"
#include "policy/header_values.h"
#include "policy/legacy.h"
#include "policy/meshratelimit/schema.h"
#include "policy/targets.h"

namespace kuma::policy::meshratelimit {
namespace {

using ::envoy::config::listener::v3::Listener;
using ::envoy::config::route::v3::RouteConfiguration;

constexpr char kName[] = "MeshRateLimit";

// Nothing: no limit.
std::optional<envoy::Rate> rate_of(const ConfView& section, std::string_view rate) {
  const auto count = section[rate]["num"].number();
  const auto interval = section[rate]["interval"].duration();
  if (section["disabled"].is_true() || !count || !interval) {
    return std::nullopt;
  }
  return envoy::Rate{.count = static_cast<uint32_t>(*count), .interval = *interval};
}

envoy::RefusedAnswer answer_of(const ConfView& on_rate_limit) {
  envoy::RefusedAnswer answer;
  if (const auto status = on_rate_limit["status"].number()) {
    answer.status = static_cast<uint32_t>(*status);
  }
  add_header_values(on_rate_limit["headers"]["add"], true, Commas::Kept, answer.headers);
  add_header_values(on_rate_limit["headers"]["set"], false, Commas::Separate, answer.headers);
  return answer;
}

void limit_routes(const envoy::Rate& rate, const envoy::RefusedAnswer& answer, RouteConfiguration& config) {
  envoy::for_each_route(config, [&](auto& route) {
    if (!envoy::has_rate_limit(route)) {
      envoy::set_rate_limit(rate, answer, route);
    }
  });
}

ConfView local_of(const json::value& merged) { return ConfView(&merged, FieldPath("default"))["local"]; }

void limit_connections(const ConfView& local, Listener& listener) {
  if (const auto rate = rate_of(local["tcp"], "connectionRate")) {
    for (auto& chain : *listener.mutable_filter_chains()) {
      envoy::add_connection_limit(*rate, chain);
    }
  }
}

absl::Status change_listener(const json::value& merged, Listener& listener) {
  KUMA_RETURN_IF_ERROR(check_mesh_rate_limit_conf(merged));
  const ConfView local = local_of(merged);
  if (const auto rate = rate_of(local["http"], "requestRate")) {
    const envoy::RefusedAnswer answer = answer_of(local["http"]["onRateLimit"]);
    KUMA_RETURN_IF_ERROR(envoy::edit_hcms(listener, [&](envoy::Hcm& hcm) {
      limit_routes(*rate, answer, *hcm.mutable_route_config());
      return envoy::insert_rate_limit(hcm);
    }));
  }
  limit_connections(local, listener);
  return absl::OkStatus();
}

// The listener has the HTTP filter already, its routes are a resource of their own. One that passes on bytes is left alone.
void change_gateway(const Rule& rule, const GatewayListener& gateway) {
  if (gateway.routes == nullptr) {
    return;
  }
  PieceKey fingerprint(kName);
  fingerprint.add(rule.conf);
  gateway.draft.change(fingerprint, rule.conf->origins, [conf = rule.conf](Listener& listener) -> absl::Status {
    KUMA_RETURN_IF_ERROR(check_mesh_rate_limit_conf(conf->value));
    limit_connections(local_of(conf->value), listener);
    return absl::OkStatus();
  });
  gateway.routes->change(fingerprint, rule.conf->origins, [conf = rule.conf](RouteConfiguration& routes) -> absl::Status {
    KUMA_RETURN_IF_ERROR(check_mesh_rate_limit_conf(conf->value));
    const ConfView http = local_of(conf->value)["http"];
    if (const auto rate = rate_of(http, "requestRate")) {
      limit_routes(*rate, answer_of(http["onRateLimit"]), routes);
    }
    return absl::OkStatus();
  });
}

// The reference lets in every status, and Envoy refuses the listener for one that it has no name for.
void tell_unknown_status(const RuleConf& conf, std::vector<Problem>& problems) {
  const ConfView status = ConfView(&conf.value, FieldPath("default"))["local"]["http"]["onRateLimit"]["status"];
  if (status.number() && !envoy::is_envoy_status(static_cast<uint32_t>(*status.number()))) {
    problems.push_back({ref_of(*conf.origins.back()), fmt::format("{}: Envoy has no status {} and will refuse the listener",
                                                                  status.path().text(), *status.number())});
  }
}

}  // namespace

void apply(const ProxyPolicies& policies, ProxyResources& resources) {
  const MatchedPolicies& matched = policies.of(kName);
  const mesh::ResourceList& legacy = policies.view().policies_of("RateLimit");
  for_inbound_listeners(matched, resources, [&](ListenerDraft& draft, const RulesPtr& rules) {
    const Rule* rule = rules->find({});
    if (rule == nullptr || !all_for_inbound(legacy, draft.subject->tags).empty()) {
      return;
    }
    tell_unknown_status(*rule->conf, resources.problems);
    PieceKey fingerprint(kName);
    fingerprint.add(rule->conf);
    draft.change(fingerprint, rule->conf->origins,
                 [conf = rule->conf](Listener& listener) { return change_listener(conf->value, listener); });
  });
  for_gateway_listeners(matched, resources, [&](const GatewayListener& gateway, const RulesPtr& rules) {
    if (const Rule* rule = rules->find({})) {
      tell_unknown_status(*rule->conf, resources.problems);
      change_gateway(*rule, gateway);
    }
  });
}

}  // namespace kuma::policy::meshratelimit
