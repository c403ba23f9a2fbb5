#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/testing.h"

namespace kuma::policy::meshhttproute {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class MeshHttpRouteSchema : public ::testing::Test {
 protected:
  std::vector<std::string> refusals(const std::string& spec) const {
    return mesh.violations_of("{type: MeshHTTPRoute, mesh: default, name: r, spec: {" + spec + "}}");
  }
  // Of one rule; paths are cut to what comes after `spec.to[0].rules[0].`.
  std::vector<std::string> refusals_of(const std::string& matches, const std::string& conf = "") const {
    static constexpr std::string_view kRule = "spec.to[0].rules[0].";
    auto lines = refusals("targetRef: {kind: Mesh}, to: [{targetRef: {kind: MeshService, name: a}, rules: [{matches: [" + matches +
                          "], default: {" + conf + "}}]}]");
    for (std::string& line : lines) {
      if (line.starts_with(kRule)) {
        line = line.substr(kRule.size());
      }
    }
    return lines;
  }
  std::vector<std::string> filter_refusals(const std::string& filters, const std::string& match = "{}") const {
    return refusals_of(match, "filters: [" + filters + "]");
  }
  testing::Mesh mesh;
};

TEST_F(MeshHttpRouteSchema, Refuses_targets_of_other_kinds) {
  EXPECT_THAT(refusals(""), ElementsAre("spec.targetRef.kind: must be defined"));
  EXPECT_THAT(refusals("targetRef: {kind: MeshGateway, name: g}, to: [{targetRef: {kind: Mesh}}]"),
              ElementsAre("spec.targetRef.kind: value is not supported", "spec.to[0].targetRef.kind: value is not supported"));
  EXPECT_THAT(refusals_of("{}", "backendRefs: [{kind: Mesh}, {kind: MeshService}]"),
              ElementsAre("default.backendRefs[0].kind: value is not supported",
                          "default.backendRefs[1].name: must be set with kind MeshService"));
}

TEST_F(MeshHttpRouteSchema, Takes_a_policy_without_destinations_and_matches_without_conditions) {
  EXPECT_THAT(refusals("targetRef: {kind: Mesh}, to: []"), IsEmpty());
  EXPECT_THAT(refusals_of("{}"), IsEmpty());
}

TEST_F(MeshHttpRouteSchema, Refuses_rules_without_matches_or_settings) {
  EXPECT_THAT(refusals_of(""), ElementsAre("matches: in body should have at least 1 items"));
  EXPECT_THAT(refusals("targetRef: {kind: Mesh}, to: [{targetRef: {kind: MeshService, name: a}, rules: [{}]}]"),
              UnorderedElementsAre("spec.to[0].rules[0].default: in body is required",
                                   "spec.to[0].rules[0].matches: in body is required"));
}

TEST_F(MeshHttpRouteSchema, Refuses_words_that_are_not_in_the_list) {
  EXPECT_THAT(refusals_of("{path: {type: Prefix, value: ''}, method: get}"),
              UnorderedElementsAre("matches[0].method: in body should be one of [CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE]",
                          "matches[0].path.type: in body should be one of [Exact PathPrefix RegularExpression]",
                          "matches[0].path.value: in body should be at least 1 chars long"));
}

TEST_F(MeshHttpRouteSchema, Refuses_paths_that_match_nothing) {
  EXPECT_THAT(refusals_of("{path: {type: PathPrefix, value: a/}}, {path: {type: Exact, value: b}}, {path: {type: Exact, value: /c/}}"),
              ElementsAre("matches[0].path.value: does not need a trailing slash because only a `/`-separated prefix or an entire "
                          "path is matched",
                          "matches[0].path.value: must be an absolute path", "matches[1].path.value: must be an absolute path"));
  EXPECT_THAT(refusals_of("{path: {type: PathPrefix, value: /}}"), IsEmpty());
}

TEST_F(MeshHttpRouteSchema, Refuses_a_query_parameter_twice_and_values_of_headers_that_are_present_or_absent) {
  EXPECT_THAT(refusals_of("{queryParams: [{type: Exact, name: q, value: a}, {type: Exact, name: q, value: b}], headers: [{type: "
                          "Present, name: h, value: v}, {type: Absent, name: i, value: w}]}"),
              ElementsAre("matches[0].queryParams[1].name: multiple entries for name q",
                          "matches[0].headers[0].value: must not be defined", "matches[0].headers[1].value: must not be defined"));
}

TEST_F(MeshHttpRouteSchema, Refuses_filters_without_the_object_of_their_type) {
  EXPECT_THAT(filter_refusals("{type: RequestHeaderModifier}, {type: ResponseHeaderModifier}, {type: RequestRedirect}, {type: "
                              "URLRewrite}, {type: RequestMirror}"),
              ElementsAre("default.filters[0].requestHeaderModifier: must be defined",
                          "default.filters[1].responseHeaderModifier: must be defined",
                          "default.filters[2].requestRedirect: must be defined", "default.filters[3].urlRewrite: must be defined",
                          "default.filters[4].requestMirror: must be defined"));
}

TEST_F(MeshHttpRouteSchema, Refuses_header_modifiers_that_change_nothing_or_one_header_twice) {
  EXPECT_THAT(filter_refusals("{type: RequestHeaderModifier, requestHeaderModifier: {}}, {type: ResponseHeaderModifier, "
                              "responseHeaderModifier: {set: [{name: a, value: x}], add: [{name: a, value: y}], remove: [A, b, b]}}"),
              ElementsAre("default.filters[0].requestHeaderModifier: must have at least one defined: set, add, remove",
                          "default.filters[1].responseHeaderModifier.add[0].name: duplicate header name",
                          "default.filters[1].responseHeaderModifier.remove[0].name: duplicate header name",
                          "default.filters[1].responseHeaderModifier.remove[2].name: duplicate header name"));
}

TEST_F(MeshHttpRouteSchema, Refuses_to_replace_a_prefix_where_a_match_has_none) {
  const std::string filters =
      "{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /n}}}, {type: "
      "ResponseHeaderModifier, responseHeaderModifier: {remove: [a]}}";
  EXPECT_THAT(filter_refusals(filters, "{path: {type: PathPrefix, value: /a}}, {method: GET}"),
              ElementsAre("default.filters[0].requestRedirect.path.replacePrefixMatch: can only appear if all matches match a path "
                          "prefix"));
  EXPECT_THAT(filter_refusals("{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /n}}}",
                              "{path: {type: Exact, value: /a}}"),
              ElementsAre("default.filters[0].urlRewrite.path.replacePrefixMatch: can only appear if all matches match a path prefix"));
  EXPECT_THAT(filter_refusals(filters, "{path: {type: PathPrefix, value: /a}}"), IsEmpty());
}

TEST_F(MeshHttpRouteSchema, Refuses_mirrors_to_what_is_no_service_and_bad_redirects) {
  EXPECT_THAT(filter_refusals("{type: RequestMirror, requestMirror: {backendRef: {kind: Mesh}}}"),
              ElementsAre("default.filters[0].requestMirror.backendRef.kind: value is not supported"));
  EXPECT_THAT(filter_refusals("{type: RequestRedirect, requestRedirect: {scheme: ftp, hostname: A, port: 0, statusCode: 304}}"),
              UnorderedElementsAre("default.filters[0].requestRedirect.hostname: in body should match "
                          R"('^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
                          "default.filters[0].requestRedirect.port: in body should be greater than or equal to 1",
                          "default.filters[0].requestRedirect.scheme: in body should be one of [http https]",
                          "default.filters[0].requestRedirect.statusCode: in body should be one of [301 302 303 307 308]"));
}

// The reference lets these in and is stuck with them, or Envoy is.

TEST_F(MeshHttpRouteSchema, Refuses_expressions_that_envoy_would_refuse) {
  EXPECT_THAT(refusals_of("{path: {type: RegularExpression, value: '/['}, headers: [{type: RegularExpression, name: h, value: '('}], "
                          "queryParams: [{type: RegularExpression, name: q, value: '*'}]}"),
              ElementsAre("matches[0].path.value: must be a regular expression of RE2: error parsing regexp: missing closing ]: `[`",
                          "matches[0].queryParams[0].value: must be a regular expression of RE2: error parsing regexp: missing "
                          "argument to repetition operator: `*`",
                          "matches[0].headers[0].value: must be a regular expression of RE2: error parsing regexp: missing closing "
                          "): `(`"));
}

TEST_F(MeshHttpRouteSchema, Refuses_what_cannot_follow_a_redirect) {
  EXPECT_THAT(filter_refusals("{type: URLRewrite, urlRewrite: {hostname: a}}, {type: RequestRedirect, requestRedirect: {}}, {type: "
                              "URLRewrite, urlRewrite: {hostname: a}}, {type: RequestMirror, requestMirror: {backendRef: {kind: "
                              "MeshService, name: a}}}"),
              ElementsAre("default.filters[2].urlRewrite: must not come after a RequestRedirect, which answers the request",
                          "default.filters[3].requestMirror: must not come after a RequestRedirect, which answers the request"));
}

TEST_F(MeshHttpRouteSchema, Refuses_rewrites_without_a_value_and_percentages_that_are_none) {
  EXPECT_THAT(filter_refusals("{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath}}}, {type: RequestMirror, requestMirror: "
                              "{percentage: abc, backendRef: {kind: MeshService, name: a}}}, {type: RequestMirror, requestMirror: "
                              "{percentage: -1, backendRef: {kind: MeshService, name: a}}}"),
              ElementsAre("default.filters[0].urlRewrite.path.replaceFullPath: must be defined",
                          "default.filters[1].requestMirror.percentage: string has to be a valid number",
                          "default.filters[2].requestMirror.percentage: has to be in [0.0 - 100.0] range"));
  EXPECT_THAT(filter_refusals("{type: RequestMirror, requestMirror: {percentage: 150, backendRef: {kind: MeshService, name: a}}}"),
              IsEmpty())
      << "the reference takes it";
}

}  // namespace
}  // namespace kuma::policy::meshhttproute
