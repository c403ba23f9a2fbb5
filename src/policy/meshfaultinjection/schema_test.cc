#include "policy/meshfaultinjection/schema.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/testing.h"

namespace kuma::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MeshFaultInjectionSchema : public ::testing::Test {
 protected:
  std::vector<std::string> refusals(const std::string& spec) const {
    return mesh.violations_of("{type: MeshFaultInjection, mesh: default, name: f, spec: {" + spec + "}}");
  }
  std::vector<std::string> refusals_of(const std::string& faults) const {
    return refusals("targetRef: {kind: Mesh}, from: [{targetRef: {kind: Mesh}, default: {http: [" + faults + "]}}]");
  }
  static std::string at(const std::string& rest) { return "spec.from[0].default.http" + rest; }
  testing::Mesh mesh;
};

TEST_F(MeshFaultInjectionSchema, Accepts_a_policy_without_from) {
  EXPECT_THAT(refusals("targetRef: {kind: Mesh}"), IsEmpty());
  EXPECT_THAT(refusals_of(""), IsEmpty());
}

TEST_F(MeshFaultInjectionSchema, Refuses_targets_of_other_kinds) {
  EXPECT_THAT(refusals("targetRef: {kind: MeshGateway, name: g}, from: [{targetRef: {kind: MeshHTTPRoute, name: r}, default: {http: []}}]"),
              ElementsAre("spec.targetRef.kind: value is not supported", "spec.from[0].targetRef.kind: value is not supported"));
}

TEST_F(MeshFaultInjectionSchema, Refuses_statuses_out_of_range_and_puts_the_kind_before_the_index) {
  EXPECT_THAT(refusals_of("{abort: {httpStatus: 500, percentage: 1}}, {abort: {httpStatus: 99, percentage: 1}}, {abort: {httpStatus: "
                          "600, percentage: 1}}"),
              ElementsAre(at(".abort[1].httpStatus: must be in range [100, 600)"), at(".abort[2].httpStatus: must be in range [100, 600)")));
}

TEST_F(MeshFaultInjectionSchema, Refuses_percentages_that_are_none) {
  EXPECT_THAT(refusals_of("{abort: {httpStatus: 500, percentage: lots}, delay: {value: 1s, percentage: -1}, responseBandwidth: {limit: 1 "
                          "mbps, percentage: '100.1'}}"),
              ElementsAre(at(".abort[0].percentage: string has to be a valid number"),
                          at(".delay[0].percentage: has to be in [0.0 - 100.0] range"),
                          at(".responseBandwidth[0].percentage: has to be in [0.0 - 100.0] range")));
}

TEST_F(MeshFaultInjectionSchema, Refuses_negative_delays) {
  EXPECT_THAT(refusals_of("{delay: {value: -1s, percentage: 1}}"),
              ElementsAre(at(".delay[0].value: must not be negative when defined")));
}

TEST_F(MeshFaultInjectionSchema, Refuses_bandwidths_without_a_unit) {
  EXPECT_THAT(refusals_of("{responseBandwidth: {limit: '', percentage: 1}}, {responseBandwidth: {limit: 10 bps, percentage: 1}}"),
              ElementsAre(at(".responseBandwidth[0].responseBandwidth: must be defined"),
                          at(".responseBandwidth[1].responseBandwidth: has to be in kbps/mbps/gbps units")));
}

TEST_F(MeshFaultInjectionSchema, Refuses_faults_that_lack_a_field) {
  EXPECT_THAT(refusals_of("{abort: {percentage: 1}}, {delay: {}}"),
              ElementsAre(at("[0].abort.httpStatus: in body is required"), at("[1].delay.value: in body is required"),
                          at("[1].delay.percentage: in body is required")));
}

TEST_F(MeshFaultInjectionSchema, Refuses_what_no_configuration_can_be_made_of) {
  for (const std::string limit : {"mbps", "1.5 mbps", "-3 mbps", "0 kbps", "5  kbps", "5kbps!", "99999999999999999999 kbps",
                                  "9999999999999 gbps"}) {
    EXPECT_THAT(refusals_of("{responseBandwidth: {limit: '" + limit + "', percentage: 1}}"),
                ElementsAre(at("[0].responseBandwidth.limit: has to be a number above 0 in kbps/mbps/gbps units")))
        << limit;
  }
  EXPECT_THAT(refusals_of("{abort: {httpStatus: 199, percentage: 1}}"),
              ElementsAre(at("[0].abort.httpStatus: must be in range [200, 600)")));
  EXPECT_THAT(refusals_of("{responseBandwidth: {limit: 5kbps, percentage: 1}}, {responseBandwidth: {limit: 7 gbps, percentage: 1}}"),
              IsEmpty());
}

}  // namespace
}  // namespace kuma::policy
