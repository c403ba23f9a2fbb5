#include "xds/gen/health_checks.h"

#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"

namespace kuma::xds {
namespace {

using ::envoy::config::core::v3::HealthStatus;
using ::envoy::service::health::v3::EndpointHealthResponse;
using mesh::v1alpha1::Dataplane;
using Inbound = Dataplane::Networking::Inbound;

Dataplane dataplane_of(const std::string& json) {
  Dataplane dataplane;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &dataplane).ok());
  return dataplane;
}

const char kProbed[] = R"({"networking": {"address": "10.0.0.1", "inbound": [
    {"port": 80, "servicePort": 8080, "serviceProbe": {"timeout": "7s", "interval": "3s", "healthyThreshold": 4, "tcp": {}}},
    {"port": 81}, {"port": 82, "state": "Ignored", "serviceProbe": {"tcp": {}}}]}})";

void report(EndpointHealthResponse& found, const std::string& cluster, HealthStatus status) {
  auto& one = *found.add_cluster_endpoints_health();
  one.set_cluster_name(cluster);
  one.add_locality_endpoints_health()->add_endpoints_health()->set_health_status(status);
}

TEST(HealthChecks, Envoy_itself_comes_first_and_then_what_has_a_probe) {
  const auto specifier = make_health_checks(dataplane_of(kProbed), 9901, {});
  EXPECT_EQ(specifier.interval().seconds(), 5);
  ASSERT_EQ(specifier.cluster_health_checks_size(), 3);
  const auto& admin = specifier.cluster_health_checks(0);
  EXPECT_EQ(admin.cluster_name(), "kuma:envoy:admin");
  EXPECT_EQ(admin.health_checks(0).http_health_check().path(), "/ready");
  EXPECT_EQ(admin.locality_endpoints(0).endpoints(0).address().socket_address().port_value(), 9901u);
  EXPECT_EQ(specifier.cluster_health_checks(1).cluster_name(), "localhost:8080");
  EXPECT_EQ(specifier.cluster_health_checks(2).cluster_name(), "localhost:82");
}

TEST(HealthChecks, A_probes_own_settings_go_before_the_defaults) {
  const auto specifier = make_health_checks(dataplane_of(kProbed), 9901, {});
  const auto& check = specifier.cluster_health_checks(1).health_checks(0);
  EXPECT_TRUE(check.has_tcp_health_check());
  EXPECT_EQ(check.timeout().seconds(), 7);
  EXPECT_EQ(check.interval().seconds(), 3);
  EXPECT_EQ(check.healthy_threshold().value(), 4u);
  EXPECT_EQ(check.unhealthy_threshold().value(), 1u);
  const auto& address = specifier.cluster_health_checks(1).locality_endpoints(0).endpoints(0).address().socket_address();
  EXPECT_EQ(address.address(), "10.0.0.1");
  EXPECT_EQ(address.port_value(), 8080u);
  EXPECT_FALSE(specifier.cluster_health_checks(1).has_upstream_bind_config());
}

TEST(HealthChecks, With_redirection_checks_come_from_an_address_that_is_exempt) {
  const auto specifier = make_health_checks(
      dataplane_of(R"({"networking": {"address": "fd00::1", "transparentProxying": {"redirectPortInbound": 1, "redirectPortOutbound": 2},
                       "inbound": [{"port": 80, "serviceProbe": {"tcp": {}}}]}})"),
      9901, {});
  EXPECT_EQ(specifier.cluster_health_checks(1).upstream_bind_config().source_address().address(), "::6");
}

TEST(HealthChecks, What_Envoy_finds_becomes_the_state_of_inbounds_with_a_probe) {
  Dataplane dataplane = dataplane_of(kProbed);
  EndpointHealthResponse found;
  report(found, "localhost:8080", HealthStatus::UNHEALTHY);
  report(found, "localhost:82", HealthStatus::UNHEALTHY);
  report(found, "localhost:81", HealthStatus::UNHEALTHY);
  EXPECT_TRUE(apply_health(found, dataplane));
  EXPECT_EQ(dataplane.networking().inbound(0).state(), Inbound::NotReady);
  EXPECT_FALSE(dataplane.networking().inbound(0).health().ready());
  EXPECT_EQ(dataplane.networking().inbound(1).state(), Inbound::Ready);
  EXPECT_EQ(dataplane.networking().inbound(2).state(), Inbound::Ignored);
  EXPECT_FALSE(apply_health(found, dataplane)) << "the same again is no change";

  EndpointHealthResponse well;
  report(well, "localhost:8080", HealthStatus::HEALTHY);
  EXPECT_TRUE(apply_health(well, dataplane));
  EXPECT_EQ(dataplane.networking().inbound(0).state(), Inbound::Ready);
  EXPECT_TRUE(dataplane.networking().inbound(0).health().ready());
}

TEST(HealthChecks, An_Envoy_that_is_not_ready_makes_its_application_not_ready) {
  Dataplane dataplane = dataplane_of(kProbed);
  EndpointHealthResponse found;
  report(found, "localhost:8080", HealthStatus::UNKNOWN);
  report(found, "kuma:envoy:admin", HealthStatus::TIMEOUT);
  EXPECT_TRUE(apply_health(found, dataplane));
  EXPECT_EQ(dataplane.networking().inbound(0).state(), Inbound::NotReady);
}

TEST(HealthChecks, An_empty_answer_changes_nothing) {
  Dataplane dataplane = dataplane_of(kProbed);
  EndpointHealthResponse found;
  found.add_cluster_endpoints_health()->set_cluster_name("localhost:8080");
  EXPECT_FALSE(apply_health(found, dataplane));
}

}  // namespace
}  // namespace kuma::xds
