#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/testing.h"

namespace kuma::policy::meshtcproute {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MeshTcpRouteSchema : public ::testing::Test {
 protected:
  std::vector<std::string> refusals(const std::string& to) const {
    return mesh.violations_of("{type: MeshTCPRoute, mesh: default, name: r, spec: {targetRef: {kind: Mesh}" + to + "}}");
  }
  testing::Mesh mesh;
};

TEST_F(MeshTcpRouteSchema, Refuses_an_empty_list_but_not_an_absent_one) {
  EXPECT_THAT(refusals(", to: []"), ElementsAre("spec.to: in body should have at least 1 items"));
  EXPECT_THAT(refusals(""), IsEmpty());
  EXPECT_THAT(refusals(", to: [{targetRef: {kind: MeshService, name: a}}]"), IsEmpty());
}

TEST_F(MeshTcpRouteSchema, Refuses_a_policy_or_an_item_without_a_target) {
  EXPECT_THAT(mesh.violations_of("{type: MeshTCPRoute, mesh: default, name: r, spec: {}}"),
              ElementsAre("spec.targetRef: in body is required"));
  EXPECT_THAT(refusals(", to: [{}]"), ElementsAre("spec.to[0].targetRef: in body is required"));
}

TEST_F(MeshTcpRouteSchema, Refuses_more_than_one_rule_and_rules_without_backends) {
  EXPECT_THAT(refusals(", to: [{targetRef: {kind: MeshService, name: a}, rules: [{default: {backendRefs: [{kind: MeshService, name: "
                       "a}]}}, {default: {backendRefs: []}}]}]"),
              ElementsAre("spec.to[0].rules: in body should have at most 1 items",
                          "spec.to[0].rules[1].default.backendRefs: in body should have at least 1 items"));
  EXPECT_THAT(refusals(", to: [{targetRef: {kind: MeshService, name: a}, rules: [{}]}]"),
              ElementsAre("spec.to[0].rules[0].default: in body is required"));
  EXPECT_THAT(refusals(", to: [{targetRef: {kind: MeshService, name: a}, rules: [{default: {}}]}]"),
              ElementsAre("spec.to[0].rules[0].default.backendRefs: in body is required"));
}

TEST_F(MeshTcpRouteSchema, Refuses_targets_of_other_kinds_and_negative_weights) {
  EXPECT_THAT(refusals(", to: [{targetRef: {kind: Mesh}, rules: [{default: {backendRefs: [{kind: MeshSubset}, {kind: "
                       "MeshServiceSubset}]}}]}]"),
              ElementsAre("spec.to[0].targetRef.kind: value is not supported",
                          "spec.to[0].rules[0].default.backendRefs[0].kind: value is not supported",
                          "spec.to[0].rules[0].default.backendRefs[1].name: must be set with kind MeshServiceSubset"));
  EXPECT_THAT(refusals(", to: [{targetRef: {kind: MeshService, name: a}, rules: [{default: {backendRefs: [{kind: MeshService, name: "
                       "a, weight: -1}]}}]}]"),
              ElementsAre("spec.to[0].rules[0].default.backendRefs[0].weight: in body should be greater than or equal to 0"));
}

}  // namespace
}  // namespace kuma::policy::meshtcproute
