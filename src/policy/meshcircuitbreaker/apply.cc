#include "policy/meshcircuitbreaker/apply.h"

#include "base/status.h"
#include "fmt/format.h"
#include "policy/conf_view.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/meshcircuitbreaker/schema.h"
#include "policy/targets.h"

namespace kuma::policy::meshcircuitbreaker {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::cluster::v3::OutlierDetection;
using google::protobuf::UInt32Value;

constexpr char kName[] = "MeshCircuitBreaker";
constexpr uint32_t kAlways = 100;  // percent of the ejections that a detector decides on

// Copies a number that may be absent: `copy(conf["x"], [&] { return target.mutable_x(); })`.
template <typename Target>
void copy(const ConfView& number, Target target) {
  if (const auto value = number.number()) {
    target()->set_value(static_cast<uint32_t>(*value));
  }
}

uint32_t enforcing(const ConfView& detector) { return detector ? kAlways : 0; }

// Replaces all thresholds: those that are not given are Envoy's own again.
void set_limits(const ConfView& limits, Cluster& cluster) {
  cluster.clear_circuit_breakers();
  auto& thresholds = *cluster.mutable_circuit_breakers()->add_thresholds();
  copy(limits["maxConnections"], [&] { return thresholds.mutable_max_connections(); });
  copy(limits["maxConnectionPools"], [&] { return thresholds.mutable_max_connection_pools(); });
  copy(limits["maxPendingRequests"], [&] { return thresholds.mutable_max_pending_requests(); });
  copy(limits["maxRetries"], [&] { return thresholds.mutable_max_retries(); });
  copy(limits["maxRequests"], [&] { return thresholds.mutable_max_requests(); });
}

// Each detector that is not there is switched off: Envoy has them on by default.
void set_errors(const ConfView& detectors, OutlierDetection& to) {
  to.mutable_enforcing_consecutive_5xx()->set_value(enforcing(detectors["totalFailures"]));
  copy(detectors["totalFailures"]["consecutive"], [&] { return to.mutable_consecutive_5xx(); });
  to.mutable_enforcing_consecutive_gateway_failure()->set_value(enforcing(detectors["gatewayFailures"]));
  copy(detectors["gatewayFailures"]["consecutive"], [&] { return to.mutable_consecutive_gateway_failure(); });
  to.mutable_enforcing_consecutive_local_origin_failure()->set_value(enforcing(detectors["localOriginFailures"]));
  copy(detectors["localOriginFailures"]["consecutive"], [&] { return to.mutable_consecutive_local_origin_failure(); });
}

void set_statistics(const ConfView& detectors, OutlierDetection& to) {
  const ConfView rate = detectors["successRate"];
  to.mutable_enforcing_success_rate()->set_value(enforcing(rate));
  to.mutable_enforcing_local_origin_success_rate()->set_value(enforcing(rate));
  copy(rate["minimumHosts"], [&] { return to.mutable_success_rate_minimum_hosts(); });
  copy(rate["requestVolume"], [&] { return to.mutable_success_rate_request_volume(); });
  if (const auto factor = rate["standardDeviationFactor"].decimal()) {
    to.mutable_success_rate_stdev_factor()->set_value(static_cast<uint32_t>(*factor * 1000));
  }
  const ConfView percentage = detectors["failurePercentage"];
  to.mutable_enforcing_failure_percentage()->set_value(enforcing(percentage));
  to.mutable_enforcing_failure_percentage_local_origin()->set_value(enforcing(percentage));
  copy(percentage["minimumHosts"], [&] { return to.mutable_failure_percentage_minimum_hosts(); });
  copy(percentage["requestVolume"], [&] { return to.mutable_failure_percentage_request_volume(); });
  copy(percentage["threshold"], [&] { return to.mutable_failure_percentage_threshold(); });
}

void set_outliers(const ConfView& conf, Cluster& cluster) {
  cluster.clear_outlier_detection();
  OutlierDetection& outliers = *cluster.mutable_outlier_detection();
  if (const auto interval = conf["interval"].duration()) {
    *outliers.mutable_interval() = envoy::to_duration(*interval);
  }
  if (const auto time = conf["baseEjectionTime"].duration()) {
    *outliers.mutable_base_ejection_time() = envoy::to_duration(*time);
  }
  copy(conf["maxEjectionPercent"], [&] { return outliers.mutable_max_ejection_percent(); });
  outliers.set_split_external_local_origin_errors(conf["splitExternalAndLocalErrors"].is_true());
  set_errors(conf["detectors"], outliers);
  set_statistics(conf["detectors"], outliers);
}

absl::Status change_cluster(const json::value& merged, Cluster& cluster) {
  KUMA_RETURN_IF_ERROR(check_mesh_circuit_breaker_conf(merged));
  const ConfView conf(&merged, FieldPath("default"));
  if (const ConfView limits = conf["connectionLimits"]) {
    set_limits(limits, cluster);
  }
  if (const ConfView outliers = conf["outlierDetection"]; outliers && !outliers["disabled"].is_true()) {
    set_outliers(outliers, cluster);
  }
  return absl::OkStatus();
}

void change(ClusterDraft& draft, const Rule& rule) {
  PieceKey fingerprint(kName);
  fingerprint.add(rule.conf);
  draft.change(fingerprint, rule.conf->origins, [conf = rule.conf](Cluster& cluster) { return change_cluster(conf->value, cluster); });
}

// The cluster of an inbound bears the port of the application, and is found by that of the listener, as in the reference:
// where the two differ the policy has no effect, which is said.
void change_inbound(const ListenerDraft& listener, const Rule& rule, ProxyResources& resources) {
  const uint32_t port = listener.subject->port;
  auto cluster = resources.clusters.find(envoy::local_cluster_name(port));
  if (cluster != resources.clusters.end() && cluster->second.origin == Origin::Inbound) {
    change(cluster->second, rule);
    return;
  }
  resources.problems.push_back(
      {ref_of(*rule.conf->origins.back()),
       fmt::format("spec.from: has no effect on the inbound with port {}, because its servicePort is another one", port)});
}

}  // namespace

void apply(const ProxyPolicies& policies, ProxyResources& resources) {
  const MatchedPolicies& matched = policies.of(kName);
  for_inbound_listeners(matched, resources, [&](const ListenerDraft& listener, const RulesPtr& rules) {
    if (const Rule* rule = rules->find({})) {
      change_inbound(listener, *rule, resources);
    }
  });
  if (!matched.to->empty()) {
    const auto change_one = [](ClusterDraft& draft, const Rule& rule, mesh::Protocol) { change(draft, rule); };
    for_outbound_clusters(OutboundServices(policies.view(), resources), *matched.to, resources, change_one);
    for_gateway_clusters(*matched.to, resources, change_one);
  }
}

}  // namespace kuma::policy::meshcircuitbreaker
