#include "policy/meshcircuitbreaker/apply.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/testing.h"

namespace kuma::policy::meshcircuitbreaker {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::listener::v3::Listener;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MeshCircuitBreakerTest : public ::testing::Test {
 protected:
  MeshCircuitBreakerTest() {
    mesh.put("{type: Mesh, name: default}");
    mesh.put(
        "{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: "
        "web}}, {port: 81, servicePort: 8081, tags: {kuma.io/service: web}}]}}");
    resources.outbounds.push_back({.address = "127.0.0.1", .port = 1, .tags = {{"kuma.io/service", "api"}}});
    for (uint32_t port : {80U, 81U}) {
      Subject subject = testing::subject("web");
      subject.address = "10.0.0.1";
      subject.port = port;
      ProxyResources::put(resources.listeners, testing::draft_of(std::to_string(port), Origin::Inbound, subject, Listener()));
    }
    add("localhost:80", Origin::Inbound, {{"kuma.io/service", "web"}});
    add("localhost:8081", Origin::Inbound, {{"kuma.io/service", "web"}});
    add("api", Origin::Outbound, {{"kuma.io/service", "api"}});
    add("api-0123456789abcdef", Origin::Outbound, {{"kuma.io/service", "api"}, {"version", "v1"}});
    add("api-0123456789abcdef_other", Origin::Outbound, {{"kuma.io/service", "api"}, {"kuma.io/mesh", "other"}});
    add("users", Origin::Outbound, {{"kuma.io/service", "users"}});
  }

  void add(const std::string& name, Origin origin, const mesh::Tags& tags) {
    Cluster cluster;
    cluster.mutable_circuit_breakers()->add_thresholds()->mutable_max_retries()->set_value(3);
    cluster.mutable_outlier_detection()->mutable_interval()->set_seconds(99);
    Subject subject = testing::subject(tags.at("kuma.io/service"));
    subject.tags = tags;
    ProxyResources::put(resources.clusters, testing::draft_of(name, origin, subject, cluster));
  }
  void apply_spec(const std::string& spec) {
    mesh.put_unchecked("MeshCircuitBreaker", "c", "{targetRef: {kind: Mesh}, " + spec + "}");
    mesh.apply(apply, "web-1", resources);
  }
  void apply_to(const std::string& conf) { apply_spec("to: [{targetRef: {kind: Mesh}, default: {" + conf + "}}]"); }
  std::string cluster(const std::string& name) { return testing::json_of(testing::made(resources.clusters.at(name))); }
  std::vector<std::string> changed() {
    std::vector<std::string> names;
    for (const auto& [name, draft] : resources.clusters) {
      if (!draft.changes.empty()) {
        names.push_back(name);
      }
    }
    return names;
  }

  testing::Mesh mesh;
  ProxyResources resources;
};

TEST_F(MeshCircuitBreakerTest, Limits_replace_the_thresholds_and_leave_the_detection) {
  apply_to("connectionLimits: {maxRequests: 7}");
  EXPECT_EQ(cluster("api"), R"({"circuitBreakers":{"thresholds":[{"maxRequests":7}]},"outlierDetection":{"interval":"99s"}})");
}

TEST_F(MeshCircuitBreakerTest, A_detection_that_is_disabled_leaves_the_one_that_is_there) {
  apply_to("outlierDetection: {disabled: true, interval: 1s, detectors: {totalFailures: {consecutive: 1}}}");
  EXPECT_EQ(cluster("api"), R"({"circuitBreakers":{"thresholds":[{"maxRetries":3}]},"outlierDetection":{"interval":"99s"}})");
}

TEST_F(MeshCircuitBreakerTest, Detectors_that_are_not_there_are_switched_off) {
  apply_to("outlierDetection: {detectors: {successRate: {standardDeviationFactor: '1.9'}}}");
  EXPECT_EQ(cluster("api"),
            R"({"circuitBreakers":{"thresholds":[{"maxRetries":3}]},"outlierDetection":{"enforcingConsecutive5xx":0,)"
            R"("enforcingSuccessRate":100,"successRateStdevFactor":1900,"enforcingConsecutiveGatewayFailure":0,)"
            R"("enforcingConsecutiveLocalOriginFailure":0,"enforcingLocalOriginSuccessRate":100,"enforcingFailurePercentage":0,)"
            R"("enforcingFailurePercentageLocalOrigin":0}})");
}

TEST_F(MeshCircuitBreakerTest, A_detector_without_its_number_has_Envoy_s) {
  apply_to("outlierDetection: {detectors: {totalFailures: {}}}");
  EXPECT_THAT(cluster("api"), ::testing::HasSubstr(R"("outlierDetection":{"enforcingConsecutive5xx":100,)"));
}

TEST_F(MeshCircuitBreakerTest, Reaches_all_and_parts_of_the_services_of_outbounds_and_no_other_cluster) {
  apply_to("connectionLimits: {maxRequests: 7}");
  EXPECT_THAT(changed(), ElementsAre("api", "api-0123456789abcdef"));
}

TEST_F(MeshCircuitBreakerTest, An_inbound_is_found_by_its_listener_s_port_and_the_others_are_told) {
  apply_spec("from: [{targetRef: {kind: Mesh}, default: {connectionLimits: {maxRequests: 7}}}]");
  EXPECT_THAT(changed(), ElementsAre("localhost:80"));
  EXPECT_THAT(resources.problems,
              ElementsAre(Problem{{"MeshCircuitBreaker", "c", "default"},
                                  "spec.from: has no effect on the inbound with port 81, because its servicePort is another one"}));
}

TEST_F(MeshCircuitBreakerTest, Settings_that_can_not_be_used_are_an_error_that_names_the_field) {
  apply_to("outlierDetection: {detectors: {successRate: {standardDeviationFactor: big}}}");
  Cluster untouched;
  EXPECT_EQ(message_of(resources.clusters.at("api").changes.front().edit(untouched)),
            "default.outlierDetection.detectors.successRate.standardDeviationFactor: invalid number");
}

}  // namespace
}  // namespace kuma::policy::meshcircuitbreaker
