#include <string>

#include "base/text.h"
#include "mesh/v1alpha1/health_check.pb.h"
#include "policy/envoy/deprecated.h"
#include "policy/legacy_effects.h"

namespace kuma::policy {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using EnvoyCheck = ::envoy::config::core::v3::HealthCheck;
using mesh::Protocol;
using mesh::v1alpha1::HealthCheck;

void set_tcp(const HealthCheck::Conf::Tcp& from, EnvoyCheck& check) {
  auto& tcp = *check.mutable_tcp_health_check();
  if (!from.send().value().empty()) {
    tcp.mutable_send()->set_text(to_hex(from.send().value()));
  }
  for (const auto& block : from.receive()) {
    if (!block.value().empty()) {
      tcp.add_receive()->set_text(to_hex(block.value()));
    }
  }
}

void set_http(const HealthCheck::Conf::Http& from, Protocol protocol, EnvoyCheck& check) {
  auto& http = *check.mutable_http_health_check();
  http.set_path(from.path());
  for (const auto& header : from.request_headers_to_add()) {
    auto& option = *http.add_request_headers_to_add();
    option.mutable_header()->set_key(header.header().key());
    option.mutable_header()->set_value(header.header().value());
    if (header.has_append()) {
      envoy::set_append(option, header.append().value());
    }
  }
  for (const auto& status : from.expected_statuses()) {
    auto& range = *http.add_expected_statuses();
    range.set_start(status.value());
    range.set_end(status.value() + 1);
  }
  using ::envoy::type::v3::CodecClientType;
  http.set_codec_client_type(protocol == Protocol::Http2 ? CodecClientType::HTTP2 : CodecClientType::HTTP1);
}

// Copies a message field that may be absent.
template <typename Message, typename Target>
void copy(bool present, const Message& value, Target target) {
  if (present) {
    *target() = value;
  }
}

void set_common(const HealthCheck::Conf& conf, EnvoyCheck& check) {
  *check.mutable_interval() = conf.interval();
  *check.mutable_timeout() = conf.timeout();
  check.mutable_unhealthy_threshold()->set_value(conf.unhealthy_threshold());
  check.mutable_healthy_threshold()->set_value(conf.healthy_threshold());
  copy(conf.has_initial_jitter(), conf.initial_jitter(), [&] { return check.mutable_initial_jitter(); });
  copy(conf.has_interval_jitter(), conf.interval_jitter(), [&] { return check.mutable_interval_jitter(); });
  check.set_interval_jitter_percent(conf.interval_jitter_percent());
  envoy::set_event_log_path(check, conf.event_log_path());
  check.set_always_log_health_check_failures(conf.always_log_health_check_failures().value());
  copy(conf.has_no_traffic_interval(), conf.no_traffic_interval(), [&] { return check.mutable_no_traffic_interval(); });
  copy(conf.has_reuse_connection(), conf.reuse_connection(), [&] { return check.mutable_reuse_connection(); });
}

}  // namespace

void apply_health_check(const model::Resource* health_check, Protocol protocol, Cluster& cluster) {
  if (health_check == nullptr) {
    return;
  }
  const auto& conf = health_check->as<HealthCheck>().conf();
  if (conf.has_healthy_panic_threshold()) {
    cluster.mutable_common_lb_config()->mutable_healthy_panic_threshold()->set_value(conf.healthy_panic_threshold().value());
  }
  if (conf.has_fail_traffic_on_panic()) {
    cluster.mutable_common_lb_config()->mutable_zone_aware_lb_config()->set_fail_traffic_on_panic(
        conf.fail_traffic_on_panic().value());
  }
  EnvoyCheck& check = *cluster.add_health_checks();
  set_common(conf, check);
  if (conf.has_http()) {
    set_http(conf.http(), protocol, check);
  } else {
    set_tcp(conf.tcp(), check);  // by connecting, where nothing is to be sent
  }
}

}  // namespace kuma::policy
