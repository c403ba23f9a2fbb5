#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/testing.h"

namespace kuma::policy::meshtimeout {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MeshTimeoutSchema : public ::testing::Test {
 protected:
  std::vector<std::string> refusals(const std::string& spec) const {
    return mesh.violations_of("{type: MeshTimeout, mesh: default, name: t, spec: {" + spec + "}}");
  }
  // With one `to` item for the mesh that has these settings.
  std::vector<std::string> refusals_of(const std::string& conf, const std::string& top = "kind: Mesh") const {
    return refusals("targetRef: {" + top + "}, to: [{targetRef: {kind: Mesh}, default: {" + conf + "}}]");
  }
  testing::Mesh mesh;
};

TEST_F(MeshTimeoutSchema, Refuses_a_policy_without_from_and_to) {
  EXPECT_THAT(refusals("targetRef: {kind: Mesh}"), ElementsAre("spec: at least one of 'from', 'to' has to be defined"));
  EXPECT_THAT(refusals("targetRef: {kind: Mesh}, to: [], from: []"),
              ElementsAre("spec: at least one of 'from', 'to' has to be defined"));
}

TEST_F(MeshTimeoutSchema, Refuses_from_for_gateways_and_routes_and_looks_no_further_into_it) {
  for (const std::string kind : {"MeshGateway", "MeshHTTPRoute"}) {
    EXPECT_THAT(refusals("targetRef: {kind: " + kind +
                         ", name: x}, from: [{targetRef: {kind: MeshService, name: a}, default: {idleTimeout: -1s}}]"),
                ElementsAre("spec.from: must not be defined"));
  }
}

TEST_F(MeshTimeoutSchema, Refuses_targets_of_other_kinds) {
  EXPECT_THAT(refusals("targetRef: {kind: Mesh}, to: [{targetRef: {kind: MeshSubset}, default: {idleTimeout: 1s}}], from: "
                       "[{targetRef: {kind: MeshService, name: a}, default: {idleTimeout: 1s}}]"),
              ElementsAre("spec.from[0].targetRef.kind: value is not supported",
                          "spec.to[0].targetRef.kind: value is not supported"));
  EXPECT_THAT(refusals("targetRef: {kind: MeshGateway, name: g}, to: [{targetRef: {kind: MeshService, name: a}, default: "
                       "{idleTimeout: 1s}}]"),
              ElementsAre("spec.to[0].targetRef.kind: value is not supported"));
  EXPECT_THAT(refusals("targetRef: {kind: MeshHTTPRoute}, to: [{targetRef: {kind: Mesh}, default: {http: {requestTimeout: 1s}}}]"),
              ElementsAre("spec.targetRef.name: must be set with kind MeshHTTPRoute"));
}

TEST_F(MeshTimeoutSchema, Refuses_items_without_any_timeout) {
  EXPECT_THAT(refusals_of(""), ElementsAre("spec.to[0].default: at least one timeout should be configured"));
  EXPECT_THAT(refusals_of("http: {}"),
              ElementsAre("spec.to[0].default.http: at least one timeout in this section should be configured"));
}

TEST_F(MeshTimeoutSchema, Refuses_negative_timeouts_and_names_the_field) {
  EXPECT_THAT(refusals_of("connectionTimeout: 0s, idleTimeout: -1s, http: {requestTimeout: -2s, streamIdleTimeout: -3s, "
                          "maxStreamDuration: -4s, maxConnectionDuration: -5s}"),
              ElementsAre("spec.to[0].default.connectionTimeout: must be greater than zero when defined",
                          "spec.to[0].default.idleTimeout: must not be negative when defined",
                          "spec.to[0].default.http.requestTimeout: must not be negative when defined",
                          "spec.to[0].default.http.streamIdleTimeout: must not be negative when defined",
                          "spec.to[0].default.http.maxStreamDuration: must not be negative when defined",
                          "spec.to[0].default.http.maxConnectionDuration: must not be negative when defined"));
  EXPECT_THAT(refusals("targetRef: {kind: Mesh}, from: [{targetRef: {kind: Mesh}, default: {connectionTimeout: -1s}}]"),
              ElementsAre("spec.from[0].default.connectionTimeout: must be greater than zero when defined"));
}

TEST_F(MeshTimeoutSchema, Refuses_for_a_route_what_belongs_to_connections) {
  static constexpr char kReason[] = ": can't be specified when top-level TargetRef is referencing MeshHTTPRoute";
  EXPECT_THAT(refusals_of("connectionTimeout: 1s, idleTimeout: 1s, http: {requestTimeout: 1s, streamIdleTimeout: 1s, "
                          "maxStreamDuration: 1s, maxConnectionDuration: 1s}",
                          "kind: MeshHTTPRoute, name: r"),
              ElementsAre(std::string("spec.to[0].default.connectionTimeout") + kReason,
                          std::string("spec.to[0].default.idleTimeout") + kReason,
                          std::string("spec.to[0].default.http.maxStreamDuration") + kReason,
                          std::string("spec.to[0].default.http.maxConnectionDuration") + kReason));
}

TEST_F(MeshTimeoutSchema, Refuses_what_is_no_duration) {
  EXPECT_THAT(refusals_of("idleTimeout: 5"),
              ElementsAre("spec.to[0].default.idleTimeout: in body must be of type string: \"number\""));
  EXPECT_THAT(refusals_of("idleTimeout: soon"), ElementsAre("invalid MeshTimeout object: 'time: invalid duration \"soon\"'"));
}

TEST_F(MeshTimeoutSchema, Zero_switches_off_all_but_connecting) {
  EXPECT_THAT(refusals_of("idleTimeout: 0s, http: {requestTimeout: 0s, streamIdleTimeout: 0s, maxStreamDuration: 0s, "
                          "maxConnectionDuration: 0s}"),
              IsEmpty());
}

}  // namespace
}  // namespace kuma::policy::meshtimeout
