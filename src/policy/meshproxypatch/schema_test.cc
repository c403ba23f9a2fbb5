#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/testing.h"

namespace kuma::policy::meshproxypatch {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::vector<std::string> violations(const std::string& spec) {
  return testing::Mesh().violations_of("{type: MeshProxyPatch, mesh: default, name: p, spec: " + spec + "}");
}
// Of one modification.
std::vector<std::string> refusals(const std::string& modification) {
  return violations("{targetRef: {kind: Mesh}, default: {appendModifications: [" + modification + "]}}");
}
std::vector<std::string> of_patch(const std::string& patch) {
  return refusals("{cluster: {operation: Patch, jsonPatches: [" + patch + "]}}");
}

const std::string kA = "spec.default.appendModifications[0]";
const std::string kPatch = kA + ".cluster.jsonPatches[0].";

TEST(MeshProxyPatchSchema, Needs_modifications) {
  EXPECT_THAT(violations("{targetRef: {kind: Mesh}}"), ElementsAre("spec.default: in body is required"));
  EXPECT_THAT(violations("{targetRef: {kind: Mesh}, default: {}}"),
              ElementsAre("spec.default.appendModifications: in body is required"));
  EXPECT_THAT(violations("{targetRef: {kind: Mesh}, default: {appendModifications: []}}"),
              ElementsAre("spec.default.appendModifications: must not be empty"));
  EXPECT_THAT(refusals("{}"), ElementsAre(kA + ": at least one modification has to be defined"));
}

TEST(MeshProxyPatchSchema, Takes_proxies_and_gateways) {
  const std::string rest = ", default: {appendModifications: [{cluster: {operation: Remove}}]}}";
  EXPECT_THAT(violations("{targetRef: {kind: MeshGateway, name: g}" + rest), IsEmpty());
  EXPECT_THAT(violations("{targetRef: {kind: MeshHTTPRoute, name: g}" + rest),
              ElementsAre("spec.targetRef.kind: value is not supported"));
}

TEST(MeshProxyPatchSchema, Names_unknown_operations) {
  for (const char* kind : {"cluster", "listener"}) {
    EXPECT_THAT(refusals(fmt::format("{{{}: {{operation: AddFirst}}}}", kind)),
                ElementsAre(fmt::format("{}.{}.operation: in body should be one of [Add Remove Patch]", kA, kind)));
  }
  for (const char* kind : {"networkFilter", "httpFilter"}) {
    EXPECT_THAT(refusals(fmt::format("{{{}: {{operation: Add}}}}", kind)),
                ElementsAre(fmt::format(
                    "{}.{}.operation: in body should be one of [Remove Patch AddFirst AddBefore AddAfter AddLast]", kA, kind)));
  }
  EXPECT_THAT(refusals("{virtualHost: {operation: Remove}}"), ElementsAre(kA + ".virtualHost.match: in body is required"));
}

TEST(MeshProxyPatchSchema, What_is_added_is_not_matched) {
  EXPECT_THAT(refusals("{cluster: {operation: Add, match: {name: x}, value: 'name: c'}}"),
              ElementsAre(kA + ".cluster.match: must not be defined"));
  EXPECT_THAT(refusals("{virtualHost: {operation: Add, match: {name: x}, value: '{name: c, domains: [c]}'}}"),
              ElementsAre(kA + ".virtualHost.match.name: must not be defined"));
}

TEST(MeshProxyPatchSchema, Adding_takes_a_value_and_removing_none) {
  EXPECT_THAT(refusals("{cluster: {operation: Add, jsonPatches: [{op: remove, path: /a}]}}"),
              ElementsAre(kA + ".cluster.value: must be defined"));
  for (const char* operation : {"AddFirst", "AddLast"}) {
    EXPECT_THAT(refusals(fmt::format("{{httpFilter: {{operation: {}}}}}", operation)),
                ElementsAre(kA + ".httpFilter.value: must be defined"));
  }
  EXPECT_THAT(refusals("{listener: {operation: Remove, value: 'name: x'}}"), ElementsAre(kA + ".listener.value: must not be defined"));
}

TEST(MeshProxyPatchSchema, Filters_are_placed_and_patched_by_name) {
  EXPECT_THAT(refusals("{networkFilter: {operation: AddBefore, value: 'name: x'}}"),
              ElementsAre(kA + ".networkFilter.match.name: must be defined. You need to pick a filter before which this one will be added"));
  EXPECT_THAT(refusals("{httpFilter: {operation: AddAfter, match: {origin: inbound}, value: 'name: x'}}"),
              ElementsAre(kA + ".httpFilter.match.name: must be defined. You need to pick a filter after which this one will be added"));
  EXPECT_THAT(refusals("{httpFilter: {operation: Patch, value: 'name: x'}}"),
              ElementsAre(kA + ".httpFilter.match.name: must be defined"));
}

TEST(MeshProxyPatchSchema, A_patch_is_a_value_or_JSON_patches) {
  EXPECT_THAT(refusals("{cluster: {operation: Patch}}"),
              ElementsAre(kA + ".cluster: cluster must have exactly one defined: value, jsonPatches"));
  EXPECT_THAT(refusals("{cluster: {operation: Patch, value: 'name: x', jsonPatches: [{op: remove, path: /a}]}}"),
              ElementsAre(kA + ".cluster: cluster must have only one type defined: value, jsonPatches"));
}

TEST(MeshProxyPatchSchema, JSON_patches_have_the_members_of_their_operation) {
  EXPECT_THAT(of_patch("{op: add, path: /a}"),
              ElementsAre(kPatch + "value: \"value\" must not be empty when \"op\" is one of [\"add\", \"replace\"]"));
  EXPECT_THAT(of_patch("{op: remove, path: /a, value: 1}"),
              ElementsAre(kPatch + "value: \"value\" is allowed only when \"op\" is one of [\"add\", \"replace\"]"));
  EXPECT_THAT(of_patch("{op: move, path: /a}"),
              ElementsAre(kPatch + "from: \"from\" must not be empty when \"op\" is one of [\"move\", \"copy\"]"));
  EXPECT_THAT(of_patch("{op: add, path: /a, value: 1, from: /b}"),
              ElementsAre(kPatch + "from: \"from\" is allowed only when \"op\" is one of [\"move\", \"copy\"]"));
  EXPECT_THAT(of_patch("{op: remove, path: /}"), ElementsAre(kPatch + "path: root path cannot be removed"));
  EXPECT_THAT(of_patch("{op: test, path: /a, value: 1}"),
              ElementsAre(kPatch + "op: in body should be one of [add remove replace move copy]"));
  EXPECT_THAT(of_patch("{op: remove}"), ElementsAre(kPatch + "path: in body is required"));
  EXPECT_THAT(of_patch("{op: replace, path: a/b, value: 1}"),
              ElementsAre(kPatch + "path: must be a JSON pointer: empty, or starting with /"));
  EXPECT_THAT(of_patch("{op: copy, path: /b, from: a}"), ElementsAre(kPatch + "from: must be a JSON pointer: starting with /"));
}

TEST(MeshProxyPatchSchema, A_value_is_the_Envoy_message_that_it_claims_to_be) {
  const std::string at = kA + ".cluster.value: native Envoy resource is not valid: ";
  auto of_value = [](const std::string& operation, const std::string& value) {
    return refusals(fmt::format("{{cluster: {{operation: {}, value: '{}'}}}}", operation, value));
  };
  EXPECT_THAT(of_value("Patch", "connectTimeout: 5s"), IsEmpty());
  EXPECT_THAT(of_value("Patch", "connect_timeout: 5s"), IsEmpty());
  EXPECT_THAT(of_value("Patch", "a: ["), ElementsAre(StartsWith(at)));
  EXPECT_THAT(of_value("Patch", "5"), ElementsAre(at + "expected an object, got 5"));
  EXPECT_THAT(of_value("Patch", "connectTimeout: soon"), ElementsAre(StartsWith(at)));
  EXPECT_THAT(of_value("Patch", "conectTimeout: 5s"), ElementsAre(::testing::AllOf(StartsWith(at), ::testing::HasSubstr("conectTimeout"))));
  EXPECT_THAT(of_value("Patch", "transportSocket: {typedConfig: {\"@type\": type.googleapis.com/envoy.Nothing}}"),
              ElementsAre(at + "could not resolve Any message type: type.googleapis.com/envoy.Nothing"));
  EXPECT_THAT(of_value("Patch", "transportSocket: {typedConfig: {\"@type\": "
                                "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: {name: w}}}"),
              IsEmpty());
}

TEST(MeshProxyPatchSchema, What_is_added_keeps_Envoys_constraints) {
  const std::string invalid = ".value: native Envoy resource is not valid: invalid ";
  EXPECT_THAT(refusals("{cluster: {operation: Add, value: 'type: STATIC'}}"),
              ElementsAre(kA + ".cluster" + invalid + "Cluster.Name: value length must be at least 1 runes"));
  EXPECT_THAT(refusals("{cluster: {operation: Add, value: '{name: c, loadAssignment: {}}'}}"),
              ElementsAre(kA + ".cluster" + invalid +
                          "Cluster.LoadAssignment: embedded message failed validation | caused by: invalid "
                          "ClusterLoadAssignment.ClusterName: value length must be at least 1 runes"));
  EXPECT_THAT(refusals("{cluster: {operation: Add, value: '{name: c, connectTimeout: 0s}'}}"),
              ElementsAre(kA + ".cluster" + invalid + "Cluster.ConnectTimeout: value must be greater than 0s"));
  EXPECT_THAT(refusals("{virtualHost: {operation: Add, match: {}, value: 'name: v'}}"),
              ElementsAre(kA + ".virtualHost" + invalid + "VirtualHost.Domains: value must contain at least 1 item(s)"));
  EXPECT_THAT(refusals("{cluster: {operation: Patch, value: 'type: STATIC'}}"), IsEmpty());
}

TEST(MeshProxyPatchSchema, Only_the_first_sort_of_a_modification_is_looked_at) {
  EXPECT_THAT(refusals("{cluster: {operation: Remove}, httpFilter: {operation: AddFirst}}"), IsEmpty());
}

}  // namespace
}  // namespace kuma::policy::meshproxypatch
