#include "policy/meshcircuitbreaker/schema.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/testing.h"

namespace kuma::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MeshCircuitBreakerSchema : public ::testing::Test {
 protected:
  std::vector<std::string> refusals(const std::string& spec) const {
    return mesh.violations_of("{type: MeshCircuitBreaker, mesh: default, name: c, spec: {" + spec + "}}");
  }
  std::vector<std::string> refusals_of(const std::string& conf) const {
    return refusals("targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {" + conf + "}}]");
  }
  std::vector<std::string> refusals_of_detectors(const std::string& detectors) const {
    return refusals_of("outlierDetection: {detectors: {" + detectors + "}}");
  }
  static std::string at(const std::string& rest) { return "spec.to[0].default." + rest; }
  static std::string detector(const std::string& rest) { return at("outlierDetection.detectors" + rest); }
  testing::Mesh mesh;
};

TEST_F(MeshCircuitBreakerSchema, Refuses_a_policy_without_from_and_to) {
  EXPECT_THAT(refusals("targetRef: {kind: Mesh}, to: []"), ElementsAre("spec: at least one of 'from', 'to' has to be defined"));
}

TEST_F(MeshCircuitBreakerSchema, Refuses_targets_of_other_kinds) {
  const std::string conf = "default: {connectionLimits: {maxRetries: 1}}}]";
  EXPECT_THAT(refusals("targetRef: {kind: MeshGateway, name: g}, to: [{targetRef: {kind: MeshSubset}, " + conf +
                       ", from: [{targetRef: {kind: MeshService, name: s}, " + conf),
              ElementsAre("spec.targetRef.kind: value is not supported", "spec.from[0].targetRef.kind: value is not supported",
                          "spec.to[0].targetRef.kind: value is not supported"));
}

TEST_F(MeshCircuitBreakerSchema, Refuses_settings_with_nothing_in_them) {
  EXPECT_THAT(refusals_of(""),
              ElementsAre("spec.to[0].default: at least one of: 'connectionLimits' or 'outlierDetection' should be configured"));
  EXPECT_THAT(refusals_of("outlierDetection: {disabled: true}"), ElementsAre(detector(": must be defined")));
  EXPECT_THAT(refusals_of_detectors(""), ElementsAre(detector(": must have at least one defined: totalFailures, gatewayFailures, "
                                                              "localOriginFailures, successRate, failurePercentage")));
}

TEST_F(MeshCircuitBreakerSchema, Refuses_limits_of_zero_and_names_each) {
  for (const std::string limit : {"maxConnections", "maxConnectionPools", "maxPendingRequests", "maxRetries", "maxRequests"}) {
    EXPECT_THAT(refusals_of("connectionLimits: {" + limit + ": 0}"),
                ElementsAre(at("connectionLimits." + limit + ": must be greater than 0")));
  }
}

TEST_F(MeshCircuitBreakerSchema, Refuses_times_and_percentages_out_of_range) {
  EXPECT_THAT(refusals_of("outlierDetection: {interval: 0s, baseEjectionTime: -1s, maxEjectionPercent: 101, detectors: {totalFailures: "
                          "{}}}"),
              ElementsAre(at("outlierDetection.interval: must be greater than zero when defined"),
                          at("outlierDetection.baseEjectionTime: must be greater than zero when defined"),
                          at("outlierDetection.maxEjectionPercent: has to be in [0 - 100] range")));
}

TEST_F(MeshCircuitBreakerSchema, Refuses_detectors_with_numbers_out_of_range) {
  for (const std::string name : {"totalFailures", "gatewayFailures", "localOriginFailures"}) {
    EXPECT_THAT(refusals_of_detectors(name + ": {consecutive: 0}"),
                ElementsAre(detector("." + name + ".consecutive: must be greater than 0")));
  }
  EXPECT_THAT(refusals_of_detectors("successRate: {minimumHosts: 0, requestVolume: 0, standardDeviationFactor: 0}"),
              ElementsAre(detector(".successRate.minimumHosts: must be greater than 0"),
                          detector(".successRate.requestVolume: must be greater than 0"),
                          detector(".successRate.standardDeviationFactor: must be greater than 0")));
  EXPECT_THAT(refusals_of_detectors("failurePercentage: {minimumHosts: 0, requestVolume: 0, threshold: 101}"),
              ElementsAre(detector(".failurePercentage.minimumHosts: must be greater than 0"),
                          detector(".failurePercentage.requestVolume: must be greater than 0"),
                          detector(".failurePercentage.threshold: has to be in [0 - 100] range")));
}

TEST_F(MeshCircuitBreakerSchema, Refuses_factors_that_are_no_numbers_or_too_large_for_Envoy) {
  for (const std::string wrong : {"big", "nan", "''", "inf"}) {
    EXPECT_THAT(refusals_of_detectors("successRate: {standardDeviationFactor: '" + (wrong == "''" ? "" : wrong) + "'}"),
                ElementsAre(detector(".successRate.standardDeviationFactor: invalid number")));
  }
  EXPECT_THAT(refusals_of_detectors("successRate: {standardDeviationFactor: '-0.5'}"),
              ElementsAre(detector(".successRate.standardDeviationFactor: must be greater than 0")));
  EXPECT_THAT(refusals_of_detectors("successRate: {standardDeviationFactor: 4294968}"),
              ElementsAre(detector(".successRate.standardDeviationFactor: must not be greater than 4294967")));
  EXPECT_THAT(refusals_of_detectors("successRate: {standardDeviationFactor: '1.9'}"), IsEmpty());
}

}  // namespace
}  // namespace kuma::policy
