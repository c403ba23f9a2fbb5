#include "manager/mesh_defaults.h"

#include <algorithm>

#include "google/protobuf/util/time_util.h"
#include "mesh/v1alpha1/circuit_breaker.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "mesh/v1alpha1/metrics.pb.h"
#include "mesh/v1alpha1/retry.pb.h"
#include "mesh/v1alpha1/timeout.pb.h"
#include "mesh/v1alpha1/traffic_permission.pb.h"
#include "mesh/v1alpha1/traffic_route.pb.h"
#include "model/proto_json.h"

namespace kuma::manager {
namespace {

using google::protobuf::util::TimeUtil;
namespace v1alpha1 = kuma::mesh::v1alpha1;
using PrometheusConfig = v1alpha1::PrometheusMetricsBackendConfig;
using TlsConfig = v1alpha1::PrometheusTlsConfig;

constexpr uint32_t kMetricsPort = 5670;
constexpr uint32_t kConnectionsMax = 1024;
constexpr uint32_t kCircuitBreakerRetriesMax = 3;
constexpr uint32_t kRetryCount = 5;
constexpr std::string_view kServiceTag = "kuma.io/service";

void set_tls_default(PrometheusConfig& config) {
  if (config.has_tls()) {
    if (config.tls().mode() == TlsConfig::providedTLS) {
      config.clear_skipmtls();
    }
    return;
  }
  const bool disabled = config.has_skipmtls() && config.skipmtls().value();
  config.mutable_tls()->set_mode(disabled ? TlsConfig::disabled : TlsConfig::activeMTLSBackend);
}

void set_prometheus_defaults(PrometheusConfig& config) {
  if (config.port() == 0) {
    config.set_port(kMetricsPort);
  }
  if (config.path().empty()) {
    config.set_path("/metrics");
  }
  if (config.tags().empty()) {
    (*config.mutable_tags())[std::string(kServiceTag)] = "dataplane-metrics";
  }
  set_tls_default(config);
}

template <typename Policy>
void select_everything(Policy& policy) {
  (*policy.add_sources()->mutable_match())[std::string(kServiceTag)] = "*";
  (*policy.add_destinations()->mutable_match())[std::string(kServiceTag)] = "*";
}

std::unique_ptr<google::protobuf::Message> make_permission() {
  auto policy = std::make_unique<v1alpha1::TrafficPermission>();
  select_everything(*policy);
  return policy;
}

std::unique_ptr<google::protobuf::Message> make_route() {
  auto policy = std::make_unique<v1alpha1::TrafficRoute>();
  select_everything(*policy);
  policy->mutable_conf()->mutable_load_balancer()->mutable_round_robin();
  (*policy->mutable_conf()->mutable_destination())[std::string(kServiceTag)] = "*";
  return policy;
}

std::unique_ptr<google::protobuf::Message> make_timeout() {
  auto policy = std::make_unique<v1alpha1::Timeout>();
  select_everything(*policy);
  auto& conf = *policy->mutable_conf();
  *conf.mutable_connect_timeout() = TimeUtil::SecondsToDuration(5);
  *conf.mutable_tcp()->mutable_idle_timeout() = TimeUtil::HoursToDuration(1);
  *conf.mutable_http()->mutable_request_timeout() = TimeUtil::SecondsToDuration(15);
  *conf.mutable_http()->mutable_idle_timeout() = TimeUtil::HoursToDuration(1);
  *conf.mutable_http()->mutable_stream_idle_timeout() = TimeUtil::MinutesToDuration(30);
  return policy;
}

std::unique_ptr<google::protobuf::Message> make_circuit_breaker() {
  auto policy = std::make_unique<v1alpha1::CircuitBreaker>();
  select_everything(*policy);
  auto& thresholds = *policy->mutable_conf()->mutable_thresholds();
  thresholds.mutable_maxconnections()->set_value(kConnectionsMax);
  thresholds.mutable_maxpendingrequests()->set_value(kConnectionsMax);
  thresholds.mutable_maxrequests()->set_value(kConnectionsMax);
  thresholds.mutable_maxretries()->set_value(kCircuitBreakerRetriesMax);
  return policy;
}

template <typename Protocol>
void set_retries(Protocol& protocol) {
  protocol.mutable_num_retries()->set_value(kRetryCount);
  *protocol.mutable_per_try_timeout() = TimeUtil::SecondsToDuration(16);
  *protocol.mutable_back_off()->mutable_base_interval() = TimeUtil::MillisecondsToDuration(25);
  *protocol.mutable_back_off()->mutable_max_interval() = TimeUtil::MillisecondsToDuration(250);
}

std::unique_ptr<google::protobuf::Message> make_retry() {
  auto policy = std::make_unique<v1alpha1::Retry>();
  select_everything(*policy);
  set_retries(*policy->mutable_conf()->mutable_http());
  set_retries(*policy->mutable_conf()->mutable_grpc());
  policy->mutable_conf()->mutable_tcp()->set_max_connect_attempts(kRetryCount);
  return policy;
}

struct DefaultPolicy {
  std::string_view type;
  std::string_view name_prefix;
  std::unique_ptr<google::protobuf::Message> (*make)();
};

constexpr DefaultPolicy kDefaultPolicies[] = {
    {"TrafficPermission", "allow-all-", make_permission},
    {"TrafficRoute", "route-all-", make_route},
    {"Timeout", "timeout-all-", make_timeout},
    {"CircuitBreaker", "circuit-breaker-all-", make_circuit_breaker},
    {"Retry", "retry-all-", make_retry},
};

bool is_skipped(const v1alpha1::Mesh& mesh, std::string_view type) {
  const auto& skipped = mesh.skipcreatinginitialpolicies();
  return std::any_of(skipped.begin(), skipped.end(),
                     [type](const std::string& entry) { return entry == "*" || entry == type; });
}

}  // namespace

void set_mesh_defaults(v1alpha1::Mesh& mesh) {
  if (!mesh.has_metrics()) {
    return;
  }
  for (v1alpha1::MetricsBackend& backend : *mesh.mutable_metrics()->mutable_backends()) {
    PrometheusConfig config;
    if (backend.type() != "prometheus" ||
        !model::from_json_value(model::to_json_object(backend.conf()), config).ok()) {
      continue;
    }
    set_prometheus_defaults(config);
    google::protobuf::Struct conf;
    if (model::from_json_value(model::to_json_object(config), conf).ok()) {
      *backend.mutable_conf() = std::move(conf);
    }
  }
}

std::vector<model::Resource> default_policies(const model::Registry& registry, const model::Resource& mesh) {
  std::vector<model::Resource> policies;
  for (const DefaultPolicy& policy : kDefaultPolicies) {
    if (is_skipped(mesh.as<v1alpha1::Mesh>(), policy.type)) {
      continue;
    }
    model::Resource resource = model::make_resource(
        *registry.find(policy.type), {mesh.meta.name, fmt::format("{}{}", policy.name_prefix, mesh.meta.name)}, policy.make());
    resource.owner = {"Mesh", {"", mesh.meta.name}};
    policies.push_back(std::move(resource));
  }
  return policies;
}

}  // namespace kuma::manager
