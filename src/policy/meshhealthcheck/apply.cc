#include "policy/meshhealthcheck/apply.h"

#include <string>

#include "base/status.h"
#include "base/text.h"
#include "envoy/config/core/v3/health_check.pb.h"
#include "policy/conf_view.h"
#include "policy/envoy/any_of.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/header_values.h"
#include "policy/meshhealthcheck/schema.h"
#include "policy/targets.h"

namespace kuma::policy::meshhealthcheck {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::core::v3::HealthCheck;
using mesh::Protocol;

constexpr char kName[] = "MeshHealthCheck";
constexpr std::chrono::minutes kInterval{1};
constexpr std::chrono::seconds kTimeout{15};
constexpr uint32_t kUnhealthyThreshold = 5;
constexpr uint32_t kHealthyThreshold = 1;

enum class Kind { None, Http, Grpc, Tcp };

bool is_on(const ConfView& section) { return section && !section["disabled"].is_true(); }

// What a service speaks decides. TCP stands in where its own kind is switched off, not where it is absent.
Kind kind_of(const ConfView& conf, Protocol protocol) {
  const bool is_http = protocol == Protocol::Http || protocol == Protocol::Http2;
  if (protocol == Protocol::Tcp) {
    return is_on(conf["tcp"]) ? Kind::Tcp : Kind::None;
  }
  if (!is_http && protocol != Protocol::Grpc) {
    return Kind::None;
  }
  const ConfView own = conf[is_http ? "http" : "grpc"];
  if (is_on(own)) {
    return is_http ? Kind::Http : Kind::Grpc;
  }
  return own && is_on(conf["tcp"]) ? Kind::Tcp : Kind::None;
}

void set_duration(const ConfView& conf, google::protobuf::Duration* (HealthCheck::*target)(), HealthCheck& check) {
  if (const auto value = conf.duration()) {
    *(check.*target)() = envoy::to_duration(*value);
  }
}

absl::Status set_common(const ConfView& conf, HealthCheck& check) {
  *check.mutable_interval() = envoy::to_duration(conf["interval"].duration().value_or(kInterval));
  *check.mutable_timeout() = envoy::to_duration(conf["timeout"].duration().value_or(kTimeout));
  check.mutable_unhealthy_threshold()->set_value(
      static_cast<uint32_t>(conf["unhealthyThreshold"].number().value_or(kUnhealthyThreshold)));
  check.mutable_healthy_threshold()->set_value(static_cast<uint32_t>(conf["healthyThreshold"].number().value_or(kHealthyThreshold)));
  set_duration(conf["initialJitter"], &HealthCheck::mutable_initial_jitter, check);
  set_duration(conf["intervalJitter"], &HealthCheck::mutable_interval_jitter, check);
  check.set_interval_jitter_percent(static_cast<uint32_t>(conf["intervalJitterPercent"].number().value_or(0)));
  set_duration(conf["noTrafficInterval"], &HealthCheck::mutable_no_traffic_interval, check);
  check.set_always_log_health_check_failures(conf["alwaysLogHealthCheckFailures"].is_true());
  if (conf["reuseConnection"]) {
    check.mutable_reuse_connection()->set_value(conf["reuseConnection"].is_true());
  }
  if (const ConfView path = conf["eventLogPath"]) {
    auto& sink = *check.add_event_logger();
    sink.set_name("envoy.health_check.event_sinks.file");
    KUMA_ASSIGN_OR_RETURN(*sink.mutable_typed_config(),
                          envoy::any_of("envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink",
                                        json::object{{"eventLogPath", path.text()}}));
  }
  return absl::OkStatus();
}

// `tags_header` says who asks, as on requests; empty: the client has no tags.
void set_http(const ConfView& conf, Protocol protocol, const std::string& tags_header, HealthCheck& check) {
  auto& http = *check.mutable_http_health_check();
  http.set_path(conf["path"] ? std::string(conf["path"].text()) : "/");
  if (!tags_header.empty()) {
    auto& header = *http.add_request_headers_to_add()->mutable_header();
    header.set_key(std::string(envoy::kTagsHeader));
    header.set_value(tags_header);
  }
  const ConfView headers = conf["requestHeadersToAdd"];
  add_header_values(headers["add"], true, Commas::Separate, *http.mutable_request_headers_to_add());
  add_header_values(headers["set"], false, Commas::Separate, *http.mutable_request_headers_to_add());
  for (const ConfView& status : conf["expectedStatuses"].items()) {
    auto& range = *http.add_expected_statuses();
    range.set_start(status.number().value_or(0));
    range.set_end(status.number().value_or(0) + 1);
  }
  using ::envoy::type::v3::CodecClientType;
  http.set_codec_client_type(protocol == Protocol::Http2 ? CodecClientType::HTTP2 : CodecClientType::HTTP1);
}

// The text is sent as it is; whoever follows the documentation, which says base64, gets that sent.
void set_tcp(const ConfView& conf, HealthCheck& check) {
  auto& tcp = *check.mutable_tcp_health_check();
  if (!conf["send"].text().empty()) {
    tcp.mutable_send()->set_text(to_hex(conf["send"].text()));
  }
  for (const ConfView& text : conf["receive"].items()) {
    if (!text.text().empty()) {
      tcp.add_receive()->set_text(to_hex(text.text()));
    }
  }
}

void set_panic(const ConfView& conf, Cluster& cluster) {
  if (const auto threshold = conf["healthyPanicThreshold"].decimal()) {
    cluster.mutable_common_lb_config()->mutable_healthy_panic_threshold()->set_value(*threshold);
  }
  // With weighted localities Envoy has no such switch.
  if (conf["failTrafficOnPanic"] && !cluster.common_lb_config().has_locality_weighted_lb_config()) {
    cluster.mutable_common_lb_config()->mutable_zone_aware_lb_config()->set_fail_traffic_on_panic(
        conf["failTrafficOnPanic"].is_true());
  }
}

absl::Status change_cluster(const json::value& merged, Protocol protocol, const std::string& tags_header, Cluster& cluster) {
  KUMA_RETURN_IF_ERROR(check_mesh_health_check_conf(merged));
  const ConfView conf(&merged, FieldPath("default"));
  set_panic(conf, cluster);
  const Kind kind = kind_of(conf, protocol);
  if (kind == Kind::None) {
    return absl::OkStatus();
  }
  // Envoy refuses a cluster with two; the one of a HealthCheck gives way.
  cluster.clear_health_checks();
  HealthCheck& check = *cluster.add_health_checks();
  KUMA_RETURN_IF_ERROR(set_common(conf, check));
  if (kind == Kind::Http) {
    set_http(conf["http"], protocol, tags_header, check);
  } else if (kind == Kind::Tcp) {
    set_tcp(conf["tcp"], check);
  } else {
    check.mutable_grpc_health_check()->set_service_name(std::string(conf["grpc"]["serviceName"].text()));
    check.mutable_grpc_health_check()->set_authority(std::string(conf["grpc"]["authority"].text()));
  }
  return absl::OkStatus();
}

}  // namespace

void apply(const ProxyPolicies& policies, ProxyResources& resources) {
  const MatchedPolicies& matched = policies.of(kName);
  if (matched.to->empty()) {
    return;
  }
  const OutboundServices services(policies.view(), resources);
  const std::string tags_header = envoy::tags_header(policies.dataplane().tag_sets);
  const auto change = [&](ClusterDraft& draft, const Rule& rule, Protocol protocol) {
    const std::string header = kind_of(ConfView(&rule.conf->value, {}), protocol) == Kind::Http ? tags_header : "";
    PieceKey fingerprint(kName);
    fingerprint.add(rule.conf).add(protocol).add(header);
    draft.change(fingerprint, rule.conf->origins, [conf = rule.conf, protocol, header](Cluster& cluster) {
      return change_cluster(conf->value, protocol, header, cluster);
    });
  };
  for_outbound_clusters(services, *matched.to, resources, change);
  for_gateway_clusters(*matched.to, resources, change);
}

}  // namespace kuma::policy::meshhealthcheck
