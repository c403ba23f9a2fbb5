#include "policy/meshtimeout/apply.h"

#include <chrono>
#include <map>
#include <optional>

#include "base/status.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "policy/conf_view.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/names.h"
#include "policy/route_name.h"

namespace kuma::policy::meshtimeout {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::listener::v3::Listener;
using ::envoy::config::route::v3::Route;
using ::envoy::config::route::v3::RouteConfiguration;
using envoy::to_duration;
using mesh::Protocol;
using std::chrono::nanoseconds;

constexpr char kName[] = "MeshTimeout";

// Settings as they take effect: what a policy leaves out has a value all the same.
struct Timeouts {
  nanoseconds connect = std::chrono::seconds(5);
  nanoseconds idle = std::chrono::hours(1);
  nanoseconds request = std::chrono::seconds(15);
  std::optional<nanoseconds> stream_idle;  // nothing: what the route has, or the default
  nanoseconds stream_duration_max{};       // 0: no bound
  nanoseconds connection_duration_max{};   // 0: no bound
};
constexpr std::chrono::minutes kStreamIdleDefault{30};

Timeouts read(const json::value& conf) {
  const ConfView view(&conf, FieldPath());
  const ConfView http = view["http"];
  Timeouts timeouts;
  timeouts.connect = view["connectionTimeout"].duration().value_or(timeouts.connect);
  timeouts.idle = view["idleTimeout"].duration().value_or(timeouts.idle);
  timeouts.request = http["requestTimeout"].duration().value_or(timeouts.request);
  timeouts.stream_idle = http["streamIdleTimeout"].duration();
  timeouts.stream_duration_max = http["maxStreamDuration"].duration().value_or(nanoseconds(0));
  timeouts.connection_duration_max = http["maxConnectionDuration"].duration().value_or(nanoseconds(0));
  return timeouts;
}

void set_route(const Timeouts& timeouts, Route& route) {
  if (!route.has_route()) {
    return;  // it redirects or answers by itself
  }
  auto& action = *route.mutable_route();
  *action.mutable_timeout() = to_duration(timeouts.request);
  if (timeouts.stream_idle) {
    *action.mutable_idle_timeout() = to_duration(*timeouts.stream_idle);
  } else if (!action.has_idle_timeout()) {
    *action.mutable_idle_timeout() = to_duration(kStreamIdleDefault);
  }
}

// Settings for a listener's requests, by the name of the route; nothing: the route stays.
using RouteTimeouts = std::function<std::optional<Timeouts>(const std::string& route)>;

// The idle timeout of connections is left to clusters, or there would be two.
absl::Status set_http(const RouteTimeouts& timeouts_of, Listener& listener) {
  return envoy::edit_hcms(listener, [&](envoy::Hcm& hcm) {
    *hcm.mutable_common_http_protocol_options()->mutable_idle_timeout() = to_duration(nanoseconds(0));
    if (hcm.has_route_config()) {
      envoy::for_each_route(*hcm.mutable_route_config(), [&](Route& route) {
        if (auto timeouts = timeouts_of(route.name())) {
          set_route(*timeouts, route);
        }
      });
    }
    return absl::OkStatus();
  });
}

absl::Status set_tcp(const std::optional<Timeouts>& timeouts, Listener& listener) {
  if (!timeouts) {
    return absl::OkStatus();
  }
  return envoy::edit_tcp_proxies(listener, [&](envoy::TcpProxy& proxy) {
    *proxy.mutable_idle_timeout() = to_duration(timeouts->idle);
    return absl::OkStatus();
  });
}

absl::Status set_cluster(const Timeouts& timeouts, Protocol protocol, Cluster& cluster) {
  *cluster.mutable_connect_timeout() = to_duration(timeouts.connect);
  if (protocol != Protocol::Http && protocol != Protocol::Http2) {
    return absl::OkStatus();
  }
  return envoy::edit_http_options(cluster, [&](envoy::HttpOptions& options) {
    auto& common = *options.mutable_common_http_protocol_options();
    *common.mutable_idle_timeout() = to_duration(timeouts.idle);
    *common.mutable_max_stream_duration() = to_duration(timeouts.stream_duration_max);
    *common.mutable_max_connection_duration() = to_duration(timeouts.connection_duration_max);
  });
}

std::string_view text_of(const Rule* rule) { return rule == nullptr ? std::string_view() : rule->conf->text; }

class Applier {
 public:
  Applier(const ProxyPolicies& policies, ProxyResources& resources)
      : policies_(policies), matched_(policies.of(kName)), resources_(resources) {
    for (const Rule& rule : matched_.to->list()) {
      for (const SubsetTag& tag : rule.subset) {
        has_route_rules_ = has_route_rules_ || tag.key == kRouteTag;
      }
    }
  }

  void run() {
    if (matched_.policies.empty()) {
      return;
    }
    for (const auto& inbound : policies_.dataplane().resource->as<mesh::v1alpha1::Dataplane>().networking().inbound()) {
      change_inbound(inbound);
    }
    for (auto& [name, listener] : resources_.listeners) {
      if (listener.origin == Origin::Outbound) {
        change_outbound(listener);
      }
    }
    for (auto& [name, cluster] : resources_.clusters) {
      if (cluster.origin == Origin::Outbound || cluster.origin == Origin::Gateway) {
        change_cluster(matched_.to->find_service(cluster.subject->service), cluster.subject->protocol, cluster);
      }
    }
    for (auto& [name, routes] : resources_.routes) {
      if (routes.origin == Origin::Gateway) {
        change_gateway(routes);
      }
    }
  }

 private:
  // Most listeners and clusters of a proxy come under the same few rules: each is read once.
  const Timeouts& timeouts_of(const Rule& rule) {
    auto [entry, is_new] = read_.try_emplace(rule.conf.get());
    if (is_new) {
      entry->second = read(rule.conf->value);
    }
    return entry->second;
  }
  std::optional<Timeouts> timeouts_of(const Rule* rule) {
    return rule == nullptr ? std::nullopt : std::optional(timeouts_of(*rule));
  }

  mesh::ResourceList origins_of(const Rule* rule) const {
    return rule == nullptr ? matched_.policies : rule->conf->origins;
  }

  // An inbound that no policy selects has the defaults as soon as another one of the proxy is selected, as the reference
  // has it: proxies of both kinds would time out differently in one mesh otherwise.
  void change_inbound(const mesh::v1alpha1::Dataplane::Networking::Inbound& inbound) {
    const std::string& address = inbound.address().empty() ? policies_.dataplane().address : inbound.address();
    auto listener = resources_.listeners.find(envoy::inbound_listener_name(address, inbound.port()));
    if (listener == resources_.listeners.end() || listener->second.origin != Origin::Inbound) {
      return;
    }
    auto rules = matched_.from.find({address, inbound.port()});
    bool selected = rules != matched_.from.end();
    const Rule* rule = selected ? rules->second->find({}) : nullptr;
    std::optional<Timeouts> timeouts = selected ? timeouts_of(rule) : std::optional(Timeouts());
    PieceKey fingerprint(kName);
    fingerprint.add(selected).add(text_of(rule));
    Protocol protocol = listener->second.subject->protocol;
    listener->second.change(fingerprint, origins_of(rule), [timeouts, protocol](Listener& message) {
      return mesh::is_http(protocol) ? set_http([&](const std::string&) { return timeouts; }, message)
                                     : set_tcp(timeouts, message);
    });
    auto cluster = resources_.clusters.find(
        envoy::local_cluster_name(inbound.serviceport() == 0 ? inbound.port() : inbound.serviceport()));
    if (timeouts && cluster != resources_.clusters.end()) {
      fingerprint.add(protocol);
      cluster->second.change(fingerprint, origins_of(rule), [timeouts = *timeouts, protocol](Cluster& message) {
        return set_cluster(timeouts, protocol, message);
      });
    }
  }

  void change_outbound(ListenerDraft& listener) {
    const std::string& service = listener.subject->service;
    const Rule* rule = matched_.to->find_service(service);
    PieceKey fingerprint(kName);
    fingerprint.add(rule != nullptr).add(text_of(rule));
    mesh::ResourceList origins = origins_of(rule);
    if (has_route_rules_) {
      add_route_rules(service, fingerprint, origins);
    }
    RulesPtr rules = has_route_rules_ ? matched_.to : nullptr;
    std::optional<Timeouts> timeouts = timeouts_of(rule);
    listener.change(fingerprint, origins, [rules, service, timeouts](Listener& message) {
      KUMA_RETURN_IF_ERROR(set_tcp(timeouts, message));
      return set_http(
          [&](const std::string& route) {
            const Rule* narrow = rules == nullptr || route.empty() ? nullptr : rules->find(subset_of(service, route));
            return narrow == nullptr ? timeouts : std::optional(read(narrow->conf->value));
          },
          message);
    });
  }

  static Subset subset_of(const std::string& service, const std::string& route) {
    return {{std::string(kRouteTag), route, false}, {std::string(mesh::kServiceTag), service, false}};
  }

  // All that may decide about a route of the service.
  void add_route_rules(const std::string& service, PieceKey& fingerprint, mesh::ResourceList& origins) const {
    for (const Rule& rule : matched_.to->list()) {
      bool concerned = true;
      for (const SubsetTag& tag : rule.subset) {
        concerned = concerned && (tag.key != mesh::kServiceTag || (tag.value == service) != tag.negated);
      }
      if (!concerned) {
        continue;
      }
      fingerprint.add(rule.subset.size()).add(text_of(&rule));
      for (const SubsetTag& tag : rule.subset) {
        fingerprint.add(std::string_view(tag.key)).add(std::string_view(tag.value)).add(tag.negated);
      }
      origins.insert(origins.end(), rule.conf->origins.begin(), rule.conf->origins.end());
    }
  }

  void change_cluster(const Rule* rule, Protocol protocol, ClusterDraft& cluster) {
    if (rule == nullptr) {
      return;
    }
    PieceKey fingerprint(kName);
    fingerprint.add(text_of(rule)).add(protocol);
    cluster.change(fingerprint, rule->conf->origins, [timeouts = timeouts_of(*rule), protocol](Cluster& message) {
      return set_cluster(timeouts, protocol, message);
    });
  }

  void change_gateway(RouteDraft& routes) {
    const Rule* rule = matched_.to->find({});
    if (rule == nullptr) {
      return;
    }
    PieceKey fingerprint(kName);
    fingerprint.add(text_of(rule));
    routes.change(fingerprint, rule->conf->origins, [timeouts = timeouts_of(*rule)](RouteConfiguration& message) {
      envoy::for_each_route(message, [&](Route& route) { set_route(timeouts, route); });
      return absl::OkStatus();
    });
  }

  const ProxyPolicies& policies_;
  const MatchedPolicies& matched_;
  ProxyResources& resources_;
  bool has_route_rules_ = false;
  std::map<const RuleConf*, Timeouts> read_;
};

}  // namespace

void apply(const ProxyPolicies& policies, ProxyResources& resources) { Applier(policies, resources).run(); }

}  // namespace kuma::policy::meshtimeout
