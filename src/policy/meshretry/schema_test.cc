#include "policy/meshretry/schema.h"

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/testing.h"

namespace kuma::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MeshRetrySchema : public ::testing::Test {
 protected:
  std::vector<std::string> refusals(const std::string& spec) const {
    return mesh.violations_of("{type: MeshRetry, mesh: default, name: r, spec: {" + spec + "}}");
  }
  // With one `to` item for the mesh that has these settings.
  std::vector<std::string> refusals_of(const std::string& conf) const {
    return refusals("targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {" + conf + "}}]");
  }
  static std::string at(const std::string& rest) { return "spec.to[0].default.conf" + rest; }
  testing::Mesh mesh;
};

TEST_F(MeshRetrySchema, Refuses_a_policy_without_to) {
  EXPECT_THAT(refusals("targetRef: {kind: Mesh}"), ElementsAre("spec.to: needs at least one item"));
  EXPECT_THAT(refusals("targetRef: {kind: Mesh}, to: []"), ElementsAre("spec.to: needs at least one item"));
}

TEST_F(MeshRetrySchema, Refuses_targets_of_other_kinds) {
  EXPECT_THAT(refusals("targetRef: {kind: MeshHTTPRoute, name: r}, to: [{targetRef: {kind: MeshSubset, tags: {a: b}}, default: {tcp: "
                       "{maxConnectAttempt: 1}}}]"),
              ElementsAre("spec.targetRef.kind: value is not supported", "spec.to[0].targetRef.kind: value is not supported"));
  EXPECT_THAT(refusals("targetRef: {kind: MeshGateway, name: g}, to: [{targetRef: {kind: MeshService, name: s}, default: {tcp: "
                       "{maxConnectAttempt: 1}}}]"),
              ElementsAre("spec.to[0].targetRef.kind: value is not supported"));
}

TEST_F(MeshRetrySchema, Refuses_sections_with_nothing_in_them) {
  EXPECT_THAT(refusals_of(""), ElementsAre(at(": at least one of the 'tcp', 'http', 'grpc' must be specified")));
  EXPECT_THAT(refusals_of("tcp: {}"), ElementsAre(at(".tcp: must not be empty")));
  EXPECT_THAT(refusals_of("grpc: {}"), ElementsAre(at(".grpc: must not be empty")));
  EXPECT_THAT(refusals_of("http: {hostSelectionMaxAttempts: 3}"), ElementsAre(at(".http: must not be empty")));
}

TEST_F(MeshRetrySchema, Refuses_empty_back_offs_and_names_what_is_missing) {
  EXPECT_THAT(refusals_of("http: {backOff: {}}"), ElementsAre(at(".http.backOff: must not be empty")));
  EXPECT_THAT(refusals_of("grpc: {rateLimitedBackOff: {maxInterval: 0s}}"),
              ElementsAre(at(".grpc.rateLimitedBackOff.maxInterval: must be defined and greater than zero"),
                          at(".grpc.rateLimitedBackOff.resetHeaders: must be defined")));
}

TEST_F(MeshRetrySchema, Refuses_conditions_that_it_does_not_know) {
  EXPECT_THAT(refusals_of("http: {retryOn: [5xx, XX, '799', HttpMethodGet, '503']}"),
              ElementsAre(at(".http.retryOn[1]: unknown item 'XX'"), at(".http.retryOn[2]: unknown item '799'")));
  EXPECT_THAT(refusals_of("grpc: {retryOn: [Canceled, 5xx]}"), ElementsAre(at(".grpc.retryOn[1]: unknown item '5xx'")));
}

TEST_F(MeshRetrySchema, Refuses_host_selections_that_lack_something) {
  EXPECT_THAT(refusals_of("http: {hostSelection: [{predicate: Foo}, {predicate: OmitHostsWithTags}, {predicate: OmitPreviousPriorities}, "
                          "{predicate: OmitPreviousPriorities, updateFrequency: 1}]}"),
              ElementsAre(at(".http.hostSelection[0].predicate: unknown predicate type 'Foo'"),
                          at(".http.hostSelection[1].tags: must be defined"),
                          at(".http.hostSelection[2].updateFrequency: must be defined and greater than zero"),
                          at(".http.hostSelection[3].predicate: OmitPreviousPriorities must only be specified once")));
}

TEST_F(MeshRetrySchema, Refuses_what_the_schema_has_otherwise) {
  EXPECT_THAT(refusals_of("http: {rateLimitedBackOff: {resetHeaders: [{name: X-Reset, format: Minutes}]}}"),
              ElementsAre("spec.to[0].default.http.rateLimitedBackOff.resetHeaders[0].name: in body should match "
                          "'^[a-z0-9!#$%&'*+\\-.^_\\x60|~]+$'",
                          "spec.to[0].default.http.rateLimitedBackOff.resetHeaders[0].format: in body should be one of [Seconds "
                          "UnixTimestamp]"));
  EXPECT_THAT(refusals_of("grpc: {rateLimitedBackOff: {resetHeaders: [{name: '', format: Seconds}]}}"),
              ElementsAre("spec.to[0].default.grpc.rateLimitedBackOff.resetHeaders[0].name: in body should be at least 1 chars long",
                          "spec.to[0].default.grpc.rateLimitedBackOff.resetHeaders[0].name: in body should match "
                          "'^[a-z0-9!#$%&'*+\\-.^_\\x60|~]+$'"));
  EXPECT_THAT(refusals_of("http: {perTryTimeout: soon}"), ElementsAre("invalid MeshRetry object: 'time: invalid duration \"soon\"'"));
}

TEST_F(MeshRetrySchema, Refuses_what_Envoy_would_not_take) {
  EXPECT_THAT(refusals_of("http: {perTryTimeout: -1s, backOff: {baseInterval: 0s}}"),
              ElementsAre(at(".http.perTryTimeout: must not be negative when defined"),
                          at(".http.backOff.baseInterval: must be greater than zero when defined")));
  EXPECT_THAT(refusals_of("grpc: {backOff: {baseInterval: 2s, maxInterval: 1s}}"),
              ElementsAre(at(".grpc.backOff.maxInterval: must not be less than baseInterval")));
  EXPECT_THAT(refusals_of("http: {rateLimitedBackOff: {resetHeaders: []}}"),
              ElementsAre(at(".http.rateLimitedBackOff.resetHeaders: must be defined")));
  EXPECT_THAT(refusals_of("http: {retriableResponseHeaders: [{type: RegularExpression, name: a, value: '['}], "
                          "retriableRequestHeaders: [{type: Prefix, name: b}]}"),
              ElementsAre(at(".http.retriableResponseHeaders[0].value: error parsing regexp: missing closing ]: `[`"),
                          at(".http.retriableRequestHeaders[0].value: must be defined")));
}

TEST_F(MeshRetrySchema, Says_of_merged_settings_what_is_wrong_with_them) {
  auto said = [](const char* yaml) { return std::string(message_of(check_mesh_retry_conf(*parse_yaml(yaml)))); };
  EXPECT_EQ(said("{http: {numRetries: 3}}"), "");
  EXPECT_EQ(said("{http: {retryOn: [Newer]}}"), "default.conf.http.retryOn[0]: unknown item 'Newer'");
  EXPECT_EQ(said("{http: {numRetries: many}}"), "default.http.numRetries: in body must be of type integer: \"string\"");
  EXPECT_EQ(said("{http: {perTryTimeout: soon}}"), "time: invalid duration \"soon\"");
}

}  // namespace
}  // namespace kuma::policy
