#include "policy/target_ref_schema.h"

#include <algorithm>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/testing.h"

namespace kuma::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Which kinds a policy takes where (spec/policy-matching.md §1.5): M Mesh, U MeshSubset, G MeshGateway, S MeshService, V
// MeshServiceSubset, R MeshHTTPRoute. Empty: it has no such list.
struct Places {
  std::string_view top;
  std::string_view to;
  std::string_view from;
  std::string_view rest = "default: {}";  // of an item, with which nothing else is wrong
};
const std::map<std::string_view, Places> kPolicies = {
    {"MeshAccessLog", {"MUGSV", "MS", "M", "default: {backends: []}"}},
    {"MeshCircuitBreaker", {"MUSV", "MS", "M", "default: {connectionLimits: {maxRetries: 1}}"}},
    {"MeshFaultInjection", {"MUSV", "", "MUSV", "default: {http: []}"}},
    {"MeshHealthCheck", {"MUGSV", "MS", "", "default: {tcp: {}}"}},
    {"MeshHTTPRoute", {"MUSV", "S", "", "rules: []"}},
    {"MeshLoadBalancingStrategy", {"MUSV", "MS", ""}},
    {"MeshProxyPatch", {"MUGSV", "", "", "default: {appendModifications: [{cluster: {operation: Remove}}]}"}},
    {"MeshRateLimit", {"MUSV", "", "M", "default: {local: {http: {disabled: true}}}"}},
    {"MeshRetry", {"MUGSV", "MS", "", "default: {tcp: {maxConnectAttempt: 1}}"}},
    {"MeshTCPRoute", {"MUSV", "S", "", "rules: []"}},
    {"MeshTimeout", {"MUGSVR", "MS", "M", "default: {http: {requestTimeout: 1s}}"}},
    {"MeshTrace", {"MUSV", "", "", "default: {backends: []}"}},
    {"MeshTrafficPermission", {"MUSV", "", "MUSV", "default: {action: Allow}"}},
};
const std::map<char, std::string_view> kTargets = {{'M', "kind: Mesh"},
                                                   {'U', "kind: MeshSubset, tags: {a: b}"},
                                                   {'G', "kind: MeshGateway, name: g"},
                                                   {'S', "kind: MeshService, name: s"},
                                                   {'V', "kind: MeshServiceSubset, name: s, tags: {a: b}"},
                                                   {'R', "kind: MeshHTTPRoute, name: r"}};

std::vector<std::string> violations(std::string_view type, std::string_view spec) {
  static const testing::Mesh kMesh;
  return kMesh.violations_of(fmt::format("{{type: {}, mesh: default, name: p, spec: {{{}}}}}", type, spec));
}

// A policy with one target at `place` and nothing else wrong.
std::vector<std::string> violations_at(std::string_view type, const Places& places, std::string_view place, std::string_view target) {
  std::string spec = fmt::format("targetRef: {{{}}}", place == "top" ? target : "kind: Mesh");
  const bool single = places.to.empty() && places.from.empty();
  if (single) {
    return violations(type, fmt::format("{}, {}", spec, places.rest));
  }
  const std::string_view list = place != "top" ? place : places.to.empty() ? "from" : "to";
  const std::string_view usual = places.to == "S" ? "kind: MeshService, name: s" : "kind: Mesh";
  return violations(type, fmt::format("{}, {}: [{{targetRef: {{{}}}, {}}}]", spec, list, place == "top" ? usual : target, places.rest));
}

TEST(TargetRefSchema, Knows_all_policies) {
  std::vector<std::string_view> known;
  for (const Policy& policy : policies()) {
    known.push_back(policy.type.name);
    EXPECT_TRUE(kPolicies.contains(policy.type.name)) << policy.type.name;
  }
  EXPECT_EQ(known.size(), kPolicies.size());
}

TEST(TargetRefSchema, Each_policy_takes_the_kinds_of_its_places_and_no_others) {
  for (const auto& [type, places] : kPolicies) {
    const std::pair<std::string_view, std::string_view> all[] = {{"top", places.top}, {"to", places.to}, {"from", places.from}};
    for (const auto& [place, kinds] : all) {
      if (kinds.empty()) {
        continue;
      }
      const std::string path = place == "top" ? "spec.targetRef" : fmt::format("spec.{}[0].targetRef", place);
      for (const auto& [letter, target] : kTargets) {
        const auto found = violations_at(type, places, place, target);
        if (kinds.find(letter) != std::string_view::npos) {
          EXPECT_THAT(found, IsEmpty()) << type << " " << place << " " << target;
        } else {
          EXPECT_THAT(found, ElementsAre(path + ".kind: value is not supported")) << type << " " << place << " " << target;
        }
      }
    }
  }
}

TEST(TargetRefSchema, Each_policy_refuses_kinds_that_nobody_knows_and_a_missing_one) {
  for (const auto& [type, places] : kPolicies) {
    EXPECT_THAT(violations_at(type, places, "top", "kind: MeshMoon"),
                ElementsAre("spec.targetRef.kind: in body should be one of [Mesh MeshSubset MeshGateway MeshService MeshServiceSubset "
                            "MeshHTTPRoute]"))
        << type;
    EXPECT_THAT(violations_at(type, places, "top", "name: web"), ElementsAre("spec.targetRef.kind: must be defined")) << type;
    EXPECT_THAT(violations_at(type, places, "top", "kind: ''"),
                ElementsAre(::testing::StartsWith("spec.targetRef.kind: in body should be one of"))) << type;
  }
}

TEST(TargetRefSchema, Refuses_what_does_not_go_with_the_kind) {
  const auto refused = [](std::string_view target) {
    return violations("MeshTrafficPermission",
                      fmt::format("targetRef: {{{}}}, from: [{{targetRef: {{kind: Mesh}}, default: {{action: Allow}}}}]", target));
  };
  const std::string at = "spec.targetRef.";
  EXPECT_THAT(refused("kind: Mesh, name: m"), ElementsAre(at + "name: using name with kind Mesh is not yet supported"));
  EXPECT_THAT(refused("kind: Mesh, mesh: m, tags: {a: b}"),
              ElementsAre(at + "mesh: must not be set with kind Mesh", at + "tags: must not be set with kind Mesh"));
  EXPECT_THAT(refused("kind: MeshSubset, name: n, mesh: m"),
              ElementsAre(at + "name: must not be set with kind MeshSubset", at + "mesh: must not be set with kind MeshSubset"));
  EXPECT_THAT(refused("kind: MeshService, name: s, mesh: m, tags: {a: b}"),
              ElementsAre(at + "mesh: must not be set with kind MeshService", at + "tags: must not be set with kind MeshService"));
  EXPECT_THAT(refused("kind: MeshServiceSubset, name: s, mesh: m"), ElementsAre(at + "mesh: must not be set with kind MeshServiceSubset"));
  EXPECT_THAT(refused("kind: MeshService"), ElementsAre(at + "name: must be set with kind MeshService"));
  EXPECT_THAT(refused("kind: MeshServiceSubset, tags: {a: b}"), ElementsAre(at + "name: must be set with kind MeshServiceSubset"));
  EXPECT_THAT(refused("kind: MeshService, name: Web.One"),
              ElementsAre(at + "name: invalid characters. Valid characters are numbers, lowercase latin letters and '-', '_' symbols."));
}

TEST(TargetRefSchema, Refuses_a_gateway_and_a_route_without_a_name) {
  EXPECT_THAT(violations("MeshTimeout", "targetRef: {kind: MeshGateway}, to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 1s}}]"),
              ElementsAre("spec.targetRef.name: must be set with kind MeshGateway"));
  EXPECT_THAT(violations("MeshTimeout", "targetRef: {kind: MeshHTTPRoute, name: r, tags: {a: b}}, to: [{targetRef: {kind: Mesh}, "
                                        "default: {http: {requestTimeout: 1s}}}]"),
              ElementsAre("spec.targetRef.tags: must not be set with kind MeshHTTPRoute"));
  EXPECT_THAT(violations("MeshRetry", "targetRef: {kind: MeshGateway, name: g, mesh: m}, to: [{targetRef: {kind: Mesh}, default: {tcp: "
                                      "{maxConnectAttempt: 1}}}]"),
              ElementsAre("spec.targetRef.mesh: must not be set with kind MeshGateway"));
}

TEST(TargetRefSchema, Fields_of_another_type_are_refused_and_unknown_ones_are_not) {
  EXPECT_THAT(violations("MeshTrafficPermission", "targetRef: {kind: MeshSubset, tags: {a: 1}}, from: [{targetRef: {kind: Mesh}, default: "
                                                  "{action: Allow}}]"),
              ElementsAre("spec.targetRef.tags.a: in body must be of type string: \"number\""));
  EXPECT_THAT(violations("MeshTrafficPermission", "targetRef: {kind: Mesh}, from: {}"),
              ElementsAre("spec.from: in body must be of type array: \"object\""));
  EXPECT_THAT(violations("MeshTrafficPermission", "targetRef: {kind: Mesh, moon: 1}, from: [{targetRef: {kind: Mesh}, default: {action: "
                                                  "Allow, moon: 1}}]"),
              IsEmpty());
}

}  // namespace
}  // namespace kuma::policy
