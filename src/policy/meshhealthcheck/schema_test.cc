#include "policy/meshhealthcheck/schema.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/testing.h"

namespace kuma::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MeshHealthCheckSchema : public ::testing::Test {
 protected:
  std::vector<std::string> refusals(const std::string& spec) const {
    return mesh.violations_of("{type: MeshHealthCheck, mesh: default, name: h, spec: {" + spec + "}}");
  }
  std::vector<std::string> refusals_of(const std::string& conf) const {
    return refusals("targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {" + conf + "}}]");
  }
  static std::string at(const std::string& rest) { return "spec.to[0].default." + rest; }
  testing::Mesh mesh;
};

TEST_F(MeshHealthCheckSchema, Accepts_a_policy_without_to_as_the_reference_does) {
  EXPECT_THAT(refusals("targetRef: {kind: Mesh}"), IsEmpty());
  EXPECT_THAT(refusals("targetRef: {kind: Mesh}, to: []"), IsEmpty());
}

TEST_F(MeshHealthCheckSchema, Refuses_targets_of_other_kinds) {
  EXPECT_THAT(refusals("targetRef: {kind: MeshHTTPRoute, name: x}, to: [{targetRef: {kind: MeshSubset}, default: {tcp: {}}}]"),
              ElementsAre("spec.targetRef.kind: value is not supported", "spec.to[0].targetRef.kind: value is not supported"));
}

TEST_F(MeshHealthCheckSchema, Refuses_settings_that_check_nothing) {
  EXPECT_THAT(refusals_of("interval: 4s"), ElementsAre("spec.to[0].default: must have at least one defined: http, tcp, grpc"));
}

TEST_F(MeshHealthCheckSchema, Refuses_times_and_thresholds_that_are_not_positive) {
  for (const std::string field : {"interval", "timeout", "initialJitter", "intervalJitter", "noTrafficInterval"}) {
    for (const std::string value : {"0s", "-1s"}) {
      EXPECT_THAT(refusals_of("tcp: {}, " + field + ": " + value),
                  ElementsAre(at(field + ": must be greater than zero when defined")));
    }
  }
  for (const std::string field : {"unhealthyThreshold", "healthyThreshold"}) {
    EXPECT_THAT(refusals_of("tcp: {}, " + field + ": 0"), ElementsAre(at(field + ": must be greater than zero when defined")));
  }
}

TEST_F(MeshHealthCheckSchema, Refuses_percentages_that_are_none) {
  EXPECT_THAT(refusals_of("tcp: {}, intervalJitterPercent: 101"),
              ElementsAre(at("intervalJitterPercent: has to be in [0 - 100] range")));
  EXPECT_THAT(refusals_of("tcp: {}, intervalJitterPercent: -1"),
              ElementsAre(at("intervalJitterPercent: has to be in [0 - 100] range")));
  for (const std::string wrong : {"nan", "inf", "-inf", "x", ""}) {
    EXPECT_THAT(refusals_of("tcp: {}, healthyPanicThreshold: '" + wrong + "'"),
                ElementsAre(at("healthyPanicThreshold: string has to be a valid number")));
  }
  EXPECT_THAT(refusals_of("tcp: {}, healthyPanicThreshold: 101"),
              ElementsAre(at("healthyPanicThreshold: has to be in [0.0 - 100.0] range")));
  EXPECT_THAT(refusals_of("tcp: {}, healthyPanicThreshold: '50.5'"), IsEmpty());
}

TEST_F(MeshHealthCheckSchema, Refuses_paths_and_statuses_that_are_none) {
  EXPECT_THAT(refusals_of("tcp: {}, eventLogPath: ''"), ElementsAre(at("eventLogPath: has to be a valid path when defined")));
  EXPECT_THAT(refusals_of("http: {path: '', expectedStatuses: [99, 200, 600]}"),
              ElementsAre(at("http.path: must be defined"), at("http.expectedStatuses[0]: must be in range [100, 600)"),
                          at("http.expectedStatuses[2]: must be in range [100, 600)")));
}

TEST_F(MeshHealthCheckSchema, Refuses_header_names_and_values_that_Envoy_would_not_take) {
  EXPECT_THAT(refusals_of("http: {requestHeadersToAdd: {set: [{name: 'Bad Name', value: x}], add: [{value: y}]}}"),
              ElementsAre(at("http.requestHeadersToAdd.set[0].name: in body should match '^[a-z0-9!#$%&'*+\\-.^_\\x60|~]+$'"),
                          at("http.requestHeadersToAdd.add[0].name: in body is required")));
  EXPECT_THAT(refusals_of("http: {path: \"/a\\nb\", requestHeadersToAdd: {set: [{name: x, value: \"a\\r\\nb\"}]}}"),
              ElementsAre(at("http.requestHeadersToAdd.set[0].value: must not contain line breaks or NUL"),
                          at("http.path: must not contain line breaks or NUL")));
}

}  // namespace
}  // namespace kuma::policy
