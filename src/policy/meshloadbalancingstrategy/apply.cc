#include "policy/meshloadbalancingstrategy/apply.h"

#include <map>

#include "base/status.h"
#include "policy/meshloadbalancingstrategy/balancer.h"
#include "policy/meshloadbalancingstrategy/locality.h"
#include "policy/meshloadbalancingstrategy/schema.h"
#include "policy/targets.h"

namespace kuma::policy::meshloadbalancingstrategy {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::endpoint::v3::ClusterLoadAssignment;
using ::envoy::config::listener::v3::Listener;
using ::envoy::config::route::v3::RouteConfiguration;

constexpr char kName[] = "MeshLoadBalancingStrategy";

using ConfPtr = std::shared_ptr<const RuleConf>;

ConfView view_of(const RuleConf& conf) { return {&conf.value, FieldPath("default")}; }
ConfView balancer_of(const RuleConf& conf) { return view_of(conf)["loadBalancer"]; }
ConfView awareness_of(const RuleConf& conf) { return view_of(conf)["localityAwareness"]; }

PieceKey fingerprint_of(const RuleConf& conf) { return std::move(PieceKey(kName).add(std::string_view(conf.text))); }

PieceKey fingerprint_of(const RuleConf& conf, const Place& place) {
  PieceKey key = fingerprint_of(conf);
  key.add(std::string_view(place.zone)).add(place.through_egress).add(place.affinity.size());
  for (const Place::Affinity& affinity : place.affinity) {
    key.add(std::string_view(affinity.key)).add(std::string_view(affinity.value)).add(affinity.weight);
  }
  return key;
}

// What one settings mean on this proxy. Many destinations share one.
struct Prepared {
  ConfPtr conf;
  Place place;
  bool hashes_requests = false;
  PieceKey of_cluster;    // fingerprints
  PieceKey of_endpoints;
};

Prepared prepare(const ConfPtr& conf, const ProxyPolicies& policies) {
  Place place = build_place(awareness_of(*conf), policies.view().zone, policies.dataplane().tag_sets,
                            policies.view().zone_egress_enabled());
  PieceKey of_endpoints = fingerprint_of(*conf, place);
  return {.conf = conf,
          .place = std::move(place),
          .hashes_requests = !hash_policies(balancer_of(*conf)).empty(),
          .of_cluster = fingerprint_of(*conf),
          .of_endpoints = std::move(of_endpoints)};
}
using PreparedPtr = std::shared_ptr<const Prepared>;

// The cluster and its endpoints, which are a resource of their own or within the cluster.
void change_cluster(const PreparedPtr& prepared, ClusterDraft& cluster, ProxyResources& resources) {
  const ConfPtr& conf = prepared->conf;
  auto endpoints = resources.endpoints.find(cluster.name);
  const bool inline_endpoints = endpoints == resources.endpoints.end();
  if (!inline_endpoints) {
    endpoints->second.change(prepared->of_endpoints, conf->origins, [prepared](ClusterLoadAssignment& message) {
      order_endpoints(awareness_of(*prepared->conf), prepared->place, message);
      return absl::OkStatus();
    });
  }
  // Clusters don't depend on where the proxy is, so they are the same for more proxies than endpoints are.
  cluster.change(inline_endpoints ? prepared->of_endpoints : prepared->of_cluster, conf->origins,
                 [prepared, inline_endpoints](Cluster& message) {
                   const ConfView awareness = awareness_of(*prepared->conf);
                   set_balancer(balancer_of(*prepared->conf), message);
                   if (weighs_localities(awareness)) {
                     message.mutable_common_lb_config()->mutable_locality_weighted_lb_config();
                   }
                   if (inline_endpoints && message.has_load_assignment()) {
                     order_endpoints(awareness, prepared->place, *message.mutable_load_assignment());
                   }
                   return absl::OkStatus();
                 });
}

// The settings of what the proxy reaches by an outbound: a route may lead to other services too, which keep what they have.
std::map<std::string, PreparedPtr> prepare_outbounds(const ProxyPolicies& policies, const Rules& rules,
                                                     const std::vector<ProxyOutbound>& outbounds) {
  std::map<const RuleConf*, PreparedPtr> known;
  std::map<std::string, PreparedPtr> by_service;
  for (const ProxyOutbound& outbound : outbounds) {
    std::string service = outbound.service();
    if (const Rule* rule = rules.find_service(service)) {
      PreparedPtr& prepared = known[rule->conf.get()];
      if (prepared == nullptr) {
        prepared = std::make_shared<const Prepared>(prepare(rule->conf, policies));
      }
      by_service.emplace(std::move(service), prepared);
    }
  }
  return by_service;
}

// Of a builtin gateway: the routes hash as what is for all services says, clusters are as their own service has it.
void apply_to_gateway(const ProxyPolicies& policies, const Rules& rules, ProxyResources& resources) {
  if (const Rule* rule = rules.find({}); rule != nullptr && !hash_policies(balancer_of(*rule->conf)).empty()) {
    for_gateway_listeners(resources, [&](const GatewayListener& listener) {
      if (listener.routes != nullptr) {
        listener.routes->change(fingerprint_of(*rule->conf), rule->conf->origins, [conf = rule->conf](RouteConfiguration& message) {
          add_hash_policies(balancer_of(*conf), message);
          return absl::OkStatus();
        });
      }
    });
  }
  std::map<const RuleConf*, PreparedPtr> known;
  for_gateway_clusters(rules, resources, [&](ClusterDraft& cluster, const Rule& rule, mesh::Protocol) {
    PreparedPtr& prepared = known[rule.conf.get()];
    if (prepared == nullptr) {
      prepared = std::make_shared<const Prepared>(prepare(rule.conf, policies));
    }
    change_cluster(prepared, cluster, resources);
  });
}

}  // namespace

void apply(const ProxyPolicies& policies, ProxyResources& resources) {
  const RulesPtr& rules = policies.of(kName).to;
  if (rules->empty()) {
    return;
  }
  apply_to_gateway(policies, *rules, resources);
  const auto by_service = prepare_outbounds(policies, *rules, resources.outbounds);
  for (auto& [name, listener] : resources.listeners) {
    auto found = by_service.find(listener.subject->service);
    if (listener.origin == Origin::Outbound && found != by_service.end() && found->second->hashes_requests) {
      const PreparedPtr& prepared = found->second;
      listener.change(prepared->of_cluster, prepared->conf->origins,
                      [prepared](Listener& message) { return add_hash_policies(balancer_of(*prepared->conf), message); });
    }
  }
  for (auto& [name, cluster] : resources.clusters) {
    auto found = by_service.find(cluster.subject->service);
    const bool of_other_mesh = cluster.subject->tags.contains(mesh::kMeshTag);
    if (cluster.origin == Origin::Outbound && !of_other_mesh && found != by_service.end()) {
      change_cluster(found->second, cluster, resources);
    }
  }
}

void apply_egress(const EgressPolicies& policies, ProxyResources& resources) {
  static const model::ResourceType kType = mesh_load_balancing_strategy_type();
  const std::vector<EgressRules> matched = policies.match(kType, resources.problems);
  for (size_t i = 0; i < matched.size(); ++i) {
    const Rule* rule = matched[i].rules->find({});
    if (rule == nullptr) {
      continue;
    }
    const ConfPtr& conf = rule->conf;
    const Place place{.zone = policies.view().zone, .affinity = {}, .through_egress = false};
    auto order = [conf, place](ClusterLoadAssignment& message) {
      order_endpoints(awareness_of(*conf), place, message);
      return absl::OkStatus();
    };
    const PieceKey fingerprint = fingerprint_of(*conf, place);
    const std::string name = policies.cluster_name(policies.services()[i]);
    if (auto endpoints = resources.endpoints.find(name); endpoints != resources.endpoints.end()) {
      endpoints->second.change(fingerprint, conf->origins, order);
    } else if (auto cluster = resources.clusters.find(name); cluster != resources.clusters.end()) {
      cluster->second.change(fingerprint, conf->origins, [order](Cluster& message) {
        return message.has_load_assignment() ? order(*message.mutable_load_assignment()) : absl::OkStatus();
      });
    }
  }
}

}  // namespace kuma::policy::meshloadbalancingstrategy
