#include "policy/meshretry/apply.h"

#include "base/status.h"
#include "policy/envoy/edit.h"
#include "policy/meshretry/retry_policy.h"
#include "policy/meshretry/schema.h"
#include "policy/targets.h"

namespace kuma::policy::meshretry {
namespace {

using ::envoy::config::listener::v3::Listener;
using ::envoy::config::route::v3::RetryPolicy;
using ::envoy::config::route::v3::Route;
using ::envoy::config::route::v3::RouteConfiguration;
using mesh::Protocol;

constexpr char kName[] = "MeshRetry";

absl::Status set_connect_attempts(const ConfView& conf, Listener& listener) {
  const auto attempts = conf["tcp"]["maxConnectAttempt"].number();
  if (!attempts) {
    return absl::OkStatus();
  }
  return envoy::edit_tcp_proxies(listener, [&](envoy::TcpProxy& proxy) {
    proxy.mutable_max_connect_attempts()->set_value(static_cast<uint32_t>(*attempts));
    return absl::OkStatus();
  });
}

// On each route; the policy of a Retry stays on the virtual host, where a route's own goes before it.
void set_on_routes(const std::optional<RetryPolicy>& policy, RouteConfiguration& config) {
  envoy::for_each_route(config, [&](Route& route) {
    if (!route.has_route()) {
      return;
    }
    if (policy) {
      *route.mutable_route()->mutable_retry_policy() = *policy;
    } else {
      route.mutable_route()->clear_retry_policy();
    }
  });
}

absl::Status change_listener(const json::value& merged, Protocol protocol, Listener& listener) {
  KUMA_RETURN_IF_ERROR(check_mesh_retry_conf(merged));
  const ConfView conf(&merged, FieldPath("default"));
  if (protocol == Protocol::Tcp) {
    return set_connect_attempts(conf, listener);
  }
  KUMA_ASSIGN_OR_RETURN(const auto policy, retry_policy_of(conf, protocol));
  return envoy::edit_hcms(listener, [&](envoy::Hcm& hcm) {
    set_on_routes(policy, *hcm.mutable_route_config());
    return absl::OkStatus();
  });
}

// Of a gateway the routes are a resource of their own.
void change_gateway(const GatewayListener& listener, const Rule& rule) {
  PieceKey fingerprint(kName);
  fingerprint.add(rule.conf);
  if (listener.protocol == Protocol::Tcp) {
    listener.draft.change(fingerprint, rule.conf->origins, [conf = rule.conf](Listener& message) {
      return change_listener(conf->value, Protocol::Tcp, message);
    });
  } else if (listener.protocol == Protocol::Http && listener.routes != nullptr) {
    listener.routes->change(fingerprint, rule.conf->origins, [conf = rule.conf](RouteConfiguration& message) -> absl::Status {
      KUMA_RETURN_IF_ERROR(check_mesh_retry_conf(conf->value));
      KUMA_ASSIGN_OR_RETURN(const auto policy, retry_policy_of(ConfView(&conf->value, FieldPath("default")), Protocol::Http));
      set_on_routes(policy, message);
      return absl::OkStatus();
    });
  }
}

// http2, kafka and what is not known have no retries.
bool is_handled(Protocol protocol) {
  return protocol == Protocol::Tcp || protocol == Protocol::Http || protocol == Protocol::Grpc;
}

}  // namespace

void apply(const ProxyPolicies& policies, ProxyResources& resources) {
  const MatchedPolicies& matched = policies.of(kName);
  if (matched.to->empty()) {
    return;
  }
  if (const Rule* rule = matched.to->find({})) {
    for_gateway_listeners(resources, [&](const GatewayListener& listener) { change_gateway(listener, *rule); });
  }
  const OutboundServices services(policies.view(), resources);
  for_outbound_listeners(services, *matched.to, resources, [](ListenerDraft& draft, const Rule& rule, Protocol protocol) {
    if (!is_handled(protocol)) {
      return;
    }
    PieceKey fingerprint(kName);
    fingerprint.add(rule.conf).add(protocol);
    draft.change(fingerprint, rule.conf->origins, [conf = rule.conf, protocol](Listener& listener) {
      return change_listener(conf->value, protocol, listener);
    });
  });
}

}  // namespace kuma::policy::meshretry
