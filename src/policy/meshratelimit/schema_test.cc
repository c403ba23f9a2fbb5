#include "policy/meshratelimit/schema.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/testing.h"

namespace kuma::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MeshRateLimitSchema : public ::testing::Test {
 protected:
  std::vector<std::string> refusals(const std::string& spec) const {
    return mesh.violations_of("{type: MeshRateLimit, mesh: default, name: l, spec: {" + spec + "}}");
  }
  std::vector<std::string> refusals_of(const std::string& conf) const {
    return refusals("targetRef: {kind: Mesh}, from: [{targetRef: {kind: Mesh}, default: {" + conf + "}}]");
  }
  static std::string at(const std::string& rest) { return "spec.from[0].default.local" + rest; }
  testing::Mesh mesh;
};

TEST_F(MeshRateLimitSchema, Refuses_a_policy_without_from) {
  EXPECT_THAT(refusals("targetRef: {kind: Mesh}"), ElementsAre("spec.from: needs at least one item"));
}

TEST_F(MeshRateLimitSchema, Refuses_targets_of_other_kinds) {
  EXPECT_THAT(refusals("targetRef: {kind: MeshGateway, name: g}, from: [{targetRef: {kind: MeshService, name: s}, default: {local: {http: "
                       "{disabled: true}}}}]"),
              ElementsAre("spec.targetRef.kind: value is not supported", "spec.from[0].targetRef.kind: value is not supported"));
}

TEST_F(MeshRateLimitSchema, Refuses_sections_with_nothing_in_them) {
  EXPECT_THAT(refusals_of(""), ElementsAre(at(": must be defined")));
  EXPECT_THAT(refusals_of("local: {}"), ElementsAre(at(": must have at least one defined: tcp, http")));
  EXPECT_THAT(refusals_of("local: {http: {}}"),
              ElementsAre(at(".http: must have at least one defined: disabled, requestRate, onRateLimit")));
  EXPECT_THAT(refusals_of("local: {tcp: {}}"), ElementsAre(at(".tcp: must have at least one defined: disabled, connectionRate")));
}

TEST_F(MeshRateLimitSchema, Refuses_rates_out_of_range_and_names_the_field) {
  EXPECT_THAT(refusals_of("local: {http: {requestRate: {num: 0, interval: 50ms}, onRateLimit: {status: 0}}, tcp: {connectionRate: {num: "
                          "0, interval: -1s}}}"),
              ElementsAre(at(".http.requestRate.num: must be greater than 0"),
                          at(".http.requestRate.interval: must be greater than: 50ms"),
                          at(".http.onRateLimit.status: must be greater than 0"),
                          at(".tcp.connectionRate.num: must be greater than 0"),
                          at(".tcp.connectionRate.interval: must be greater than: 50ms")));
  EXPECT_THAT(refusals_of("local: {http: {requestRate: {num: 1, interval: 51ms}}}"), IsEmpty());
}

TEST_F(MeshRateLimitSchema, Refuses_rates_and_headers_that_lack_something) {
  EXPECT_THAT(refusals_of("local: {http: {requestRate: {interval: 1s}}, tcp: {connectionRate: {num: 1}}}"),
              ElementsAre(at(".http.requestRate.num: in body is required"), at(".tcp.connectionRate.interval: in body is required")));
  EXPECT_THAT(refusals_of("local: {http: {onRateLimit: {headers: {add: [{name: 'A B', value: c}, {name: ok}]}}}}"),
              ElementsAre(at(".http.onRateLimit.headers.add[0].name: in body should match '^[a-z0-9!#$%&'*+\\-.^_\\x60|~]+$'"),
                          at(".http.onRateLimit.headers.add[1].value: in body is required")));
}

TEST_F(MeshRateLimitSchema, Refuses_more_headers_than_16) {
  std::string many;
  for (int i = 0; i < 17; ++i) {
    many += "{name: h, value: v}, ";
  }
  EXPECT_THAT(refusals_of("local: {http: {onRateLimit: {headers: {set: [" + many + "]}}}}"),
              ElementsAre(at(".http.onRateLimit.headers.set: in body should have at most 16 items")));
}

TEST_F(MeshRateLimitSchema, Refuses_header_values_that_Envoy_would_not_take) {
  EXPECT_THAT(refusals_of("local: {http: {onRateLimit: {headers: {set: [{name: x, value: \"a\\nb\"}]}}}}"),
              ElementsAre(at(".http.onRateLimit.headers.set[0].value: must not contain line breaks or NUL")));
}

}  // namespace
}  // namespace kuma::policy
