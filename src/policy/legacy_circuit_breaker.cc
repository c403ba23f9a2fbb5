#include "mesh/v1alpha1/circuit_breaker.pb.h"
#include "policy/legacy_effects.h"

namespace kuma::policy {
namespace {

using ::envoy::config::cluster::v3::CircuitBreakers;
using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::cluster::v3::OutlierDetection;
using google::protobuf::UInt32Value;
using mesh::v1alpha1::CircuitBreaker;

constexpr uint32_t kAlways = 100;  // percent of the ejections that a detector decides on

// Copies a value that may be absent: `copy(message.has_x(), message.x(), [&] { return target.mutable_x(); })`.
template <typename Target>
void copy(bool present, const UInt32Value& value, Target target) {
  if (present) {
    *target() = value;
  }
}

void apply_thresholds(const CircuitBreaker::Conf::Thresholds& from, CircuitBreakers::Thresholds& to) {
  copy(from.has_maxconnections(), from.maxconnections(), [&] { return to.mutable_max_connections(); });
  copy(from.has_maxpendingrequests(), from.maxpendingrequests(), [&] { return to.mutable_max_pending_requests(); });
  copy(from.has_maxretries(), from.maxretries(), [&] { return to.mutable_max_retries(); });
  copy(from.has_maxrequests(), from.maxrequests(), [&] { return to.mutable_max_requests(); });
}

// Each detector that is not there is switched off: Envoy has them on by default.
void apply_errors(const CircuitBreaker::Conf::Detectors& detectors, OutlierDetection& to) {
  to.mutable_enforcing_consecutive_5xx()->set_value(detectors.has_totalerrors() ? kAlways : 0);
  copy(detectors.totalerrors().has_consecutive(), detectors.totalerrors().consecutive(),
       [&] { return to.mutable_consecutive_5xx(); });
  to.mutable_enforcing_consecutive_gateway_failure()->set_value(detectors.has_gatewayerrors() ? kAlways : 0);
  copy(detectors.gatewayerrors().has_consecutive(), detectors.gatewayerrors().consecutive(),
       [&] { return to.mutable_consecutive_gateway_failure(); });
  to.mutable_enforcing_consecutive_local_origin_failure()->set_value(detectors.has_localerrors() ? kAlways : 0);
  copy(detectors.localerrors().has_consecutive(), detectors.localerrors().consecutive(),
       [&] { return to.mutable_consecutive_local_origin_failure(); });
}

void apply_statistics(const CircuitBreaker::Conf::Detectors& detectors, OutlierDetection& to) {
  const auto& deviation = detectors.standarddeviation();
  to.mutable_enforcing_success_rate()->set_value(detectors.has_standarddeviation() ? kAlways : 0);
  if (detectors.has_standarddeviation()) {
    to.mutable_enforcing_local_origin_success_rate()->set_value(kAlways);
    copy(deviation.has_requestvolume(), deviation.requestvolume(),
         [&] { return to.mutable_success_rate_request_volume(); });
    copy(deviation.has_minimumhosts(), deviation.minimumhosts(), [&] { return to.mutable_success_rate_minimum_hosts(); });
    if (deviation.has_factor()) {
      to.mutable_success_rate_stdev_factor()->set_value(static_cast<uint32_t>(deviation.factor().value() * 1000));
    }
  }
  const auto& failure = detectors.failure();
  to.mutable_enforcing_failure_percentage()->set_value(detectors.has_failure() ? kAlways : 0);
  if (detectors.has_failure()) {
    to.mutable_enforcing_failure_percentage_local_origin()->set_value(kAlways);
    copy(failure.has_requestvolume(), failure.requestvolume(),
         [&] { return to.mutable_failure_percentage_request_volume(); });
    copy(failure.has_minimumhosts(), failure.minimumhosts(), [&] { return to.mutable_failure_percentage_minimum_hosts(); });
    copy(failure.has_threshold(), failure.threshold(), [&] { return to.mutable_failure_percentage_threshold(); });
  }
}

}  // namespace

void apply_circuit_breaker(const model::Resource* circuit_breaker, Cluster& cluster) {
  if (circuit_breaker == nullptr) {
    return;
  }
  const auto& conf = circuit_breaker->as<CircuitBreaker>().conf();
  if (conf.has_thresholds()) {
    apply_thresholds(conf.thresholds(), *cluster.mutable_circuit_breakers()->add_thresholds());
  }
  auto& outliers = *cluster.mutable_outlier_detection();
  if (conf.has_interval()) {
    *outliers.mutable_interval() = conf.interval();
  }
  if (conf.has_baseejectiontime()) {
    *outliers.mutable_base_ejection_time() = conf.baseejectiontime();
  }
  copy(conf.has_maxejectionpercent(), conf.maxejectionpercent(), [&] { return outliers.mutable_max_ejection_percent(); });
  outliers.set_split_external_local_origin_errors(conf.splitexternalandlocalerrors());
  apply_errors(conf.detectors(), outliers);
  apply_statistics(conf.detectors(), outliers);
}

}  // namespace kuma::policy
