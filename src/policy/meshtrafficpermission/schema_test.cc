#include "policy/meshtrafficpermission/schema.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/testing.h"

namespace kuma::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MeshTrafficPermissionSchema : public ::testing::Test {
 protected:
  std::vector<std::string> refusals(const std::string& spec) const {
    return mesh.violations_of("{type: MeshTrafficPermission, mesh: default, name: p, spec: {" + spec + "}}");
  }
  std::vector<std::string> refusals_of(const std::string& item) const { return refusals("targetRef: {kind: Mesh}, from: [" + item + "]"); }
  testing::Mesh mesh;
};

TEST_F(MeshTrafficPermissionSchema, Refuses_a_policy_or_an_item_without_a_target) {
  EXPECT_THAT(refusals("from: [{targetRef: {kind: Mesh}, default: {action: Allow}}]"), ElementsAre("spec.targetRef: in body is required"));
  EXPECT_THAT(refusals_of("{default: {action: Allow}}"), ElementsAre("spec.from[0].targetRef: in body is required"));
}

TEST_F(MeshTrafficPermissionSchema, Refuses_a_policy_without_from) {
  EXPECT_THAT(refusals("targetRef: {kind: Mesh}"), ElementsAre("spec.from: needs at least one item"));
  EXPECT_THAT(refusals_of(""), ElementsAre("spec.from: needs at least one item"));
}

TEST_F(MeshTrafficPermissionSchema, Refuses_items_without_an_action_it_knows) {
  EXPECT_THAT(refusals_of("{targetRef: {kind: Mesh}, default: {}}, {targetRef: {kind: Mesh}}"),
              ElementsAre("spec.from[0].default.action: must be defined", "spec.from[1].default.action: must be defined"));
  EXPECT_THAT(refusals_of("{targetRef: {kind: Mesh}, default: {action: ALLOW}}"),
              ElementsAre("spec.from[0].default.action: in body should be one of [Allow Deny AllowWithShadowDeny]"));
}

TEST_F(MeshTrafficPermissionSchema, Refuses_clients_that_are_no_tags) {
  EXPECT_THAT(refusals_of("{targetRef: {kind: MeshHTTPRoute, name: r}, default: {action: Allow}}"),
              ElementsAre("spec.from[0].targetRef.kind: value is not supported"));
}

TEST_F(MeshTrafficPermissionSchema, Takes_each_action) {
  for (const std::string action : {"Allow", "Deny", "AllowWithShadowDeny"}) {
    EXPECT_THAT(refusals_of("{targetRef: {kind: MeshService, name: web}, default: {action: " + action + "}}"), IsEmpty());
  }
}

}  // namespace
}  // namespace kuma::policy
