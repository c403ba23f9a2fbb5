#include "policy/meshtrace/schema.h"

#include "base/status.h"
#include "gtest/gtest.h"
#include "model/rest.h"
#include "policy/policy.h"

namespace kuma::policy {
namespace {

std::string refusal_of_spec(const std::string& spec) {
  const model::Registry registry(policy_types());
  const auto document = parse_yaml("{type: MeshTrace, mesh: default, name: trace, spec: " + spec + "}");
  EXPECT_TRUE(document.ok()) << document.status();
  return std::string(message_of(model::from_rest(registry, *document).status()));
}

// Without `spec.default.` in front of each path.
std::string refusal_of(const std::string& conf) {
  std::string text = refusal_of_spec("{targetRef: {kind: Mesh}, default: " + conf + "}");
  const std::string at = "spec.default.";
  for (size_t found = text.find(at); found != std::string::npos; found = text.find(at)) {
    text.erase(found, at.size());
  }
  return text;
}

std::string refusal_of_datadog(const std::string& url) {
  return refusal_of("{backends: [{type: Datadog, datadog: {url: '" + url + "'}}]}");
}

TEST(MeshTraceSchema, Backends_have_to_be_defined_and_at_most_one) {
  EXPECT_EQ(refusal_of_spec("{targetRef: {kind: Mesh}}"), "spec.default.backends: must be defined");
  EXPECT_EQ(refusal_of("{}"), "backends: must be defined");
  EXPECT_EQ(refusal_of("{backends: []}"), "");
  const std::string backend = "{type: Zipkin, zipkin: {url: 'http://a:1/x'}}";
  EXPECT_EQ(refusal_of("{backends: [" + backend + ", " + backend + "]}"), "backends: must have zero or one backend defined");
}

TEST(MeshTraceSchema, Takes_only_targets_that_have_proxies) {
  for (const char* target : {"kind: MeshGateway, name: a", "kind: MeshHTTPRoute, name: a"}) {
    EXPECT_EQ(refusal_of_spec(std::string("{targetRef: {") + target + "}, default: {backends: []}}"),
              "spec.targetRef.kind: value is not supported");
  }
}

TEST(MeshTraceSchema, The_section_of_the_type_has_to_be_there) {
  EXPECT_EQ(refusal_of("{backends: [{type: Zipkin}]}"), "backends[0].zipkin: must be defined");
  EXPECT_EQ(refusal_of("{backends: [{type: Datadog}]}"), "backends[0].datadog: must be defined");
  EXPECT_EQ(refusal_of("{backends: [{type: OpenTelemetry}]}"), "backends[0].openTelemetry: must be defined");
}

TEST(MeshTraceSchema, Unknown_values_are_refused_by_the_schema) {
  EXPECT_EQ(refusal_of("{backends: [{type: Jaeger}]}"), "backends[0].type: in body should be one of [Zipkin Datadog OpenTelemetry]");
  EXPECT_EQ(refusal_of("{backends: [{zipkin: {url: 'http://a:1'}}]}"), "backends[0].type: in body is required");
  EXPECT_EQ(refusal_of("{backends: [{type: Zipkin, zipkin: {url: 'http://a:1/x', apiVersion: httpXml}}]}"),
            "backends[0].zipkin.apiVersion: in body should be one of [httpJson httpProto]");
  EXPECT_EQ(refusal_of("{backends: [{type: OpenTelemetry, openTelemetry: {endpoint: ''}}]}"),
            "backends[0].openTelemetry.endpoint: in body should be at least 1 chars long");
}

TEST(MeshTraceSchema, Zipkin_needs_a_URL) {
  EXPECT_EQ(refusal_of("{backends: [{type: Zipkin, zipkin: {url: ''}}]}"), "backends[0].zipkin.url: must not be empty");
  EXPECT_EQ(refusal_of("{backends: [{type: Zipkin, zipkin: {url: 'not a url'}}]}"), "backends[0].zipkin.url: must be a valid url");
  EXPECT_EQ(refusal_of("{backends: [{type: Zipkin, zipkin: {url: 'https://a/x'}}]}"), "");
}

TEST(MeshTraceSchema, Datadog_needs_scheme_host_and_port_and_nothing_else) {
  EXPECT_EQ(refusal_of_datadog("somewhere"), "backends[0].datadog.url: must be a valid url");
  EXPECT_EQ(refusal_of_datadog("https://dd:8126"), "backends[0].datadog.url: scheme must be http");
  EXPECT_EQ(refusal_of_datadog("http://dd"), "backends[0].datadog.url: port must be defined");
  EXPECT_EQ(refusal_of_datadog("http://dd:0"), "backends[0].datadog.url: port must be a valid (1-65535)");
  EXPECT_EQ(refusal_of_datadog("http://dd:99999/path"),
            "backends[0].datadog.url: port must be a valid (1-65535); backends[0].datadog.url: path must not be defined");
  EXPECT_EQ(refusal_of_datadog("http://me@dd:1?q=1#f"),
            "backends[0].datadog.url: user must not be defined; backends[0].datadog.url: query must not be defined; "
            "backends[0].datadog.url: fragment must not be defined");
  EXPECT_EQ(refusal_of_datadog("http:dd"),
            "backends[0].datadog.url: port must be defined; backends[0].datadog.url: opaque must not be defined");
  EXPECT_EQ(refusal_of_datadog("http://dd:8126"), "");
}

TEST(MeshTraceSchema, Collectors_are_hosts_with_or_without_a_port) {
  EXPECT_EQ(refusal_of("{backends: [{type: OpenTelemetry, openTelemetry: {endpoint: 'http://a:1'}}]}"),
            "backends[0].openTelemetry.endpoint: has to be in format of HOST or HOST:PORT, got \"http://a:1\"");
  EXPECT_EQ(refusal_of("{backends: [{type: OpenTelemetry, openTelemetry: {endpoint: 'otlp.example.org:4317'}}]}"), "");
}

TEST(MeshTraceSchema, Tags_have_a_name_and_one_source) {
  EXPECT_EQ(refusal_of("{backends: [], tags: [{name: '', literal: x}, {name: both, literal: x, header: {name: y}}, {name: none}]}"),
            "tags[0].name: must not be empty; tags[1]: tag must have only one type defined: header, literal; "
            "tags[2]: tag must have only one type defined: header, literal");
  EXPECT_EQ(refusal_of("{backends: [], tags: [{literal: x}]}"), "tags[0].name: in body is required");
  EXPECT_EQ(refusal_of("{backends: [], tags: [{name: a, header: {}}]}"), "tags[0].header.name: in body is required");
}

TEST(MeshTraceSchema, Sampling_is_a_percentage) {
  EXPECT_EQ(refusal_of("{backends: [], sampling: {overall: 101, client: -1, random: lots}}"),
            "sampling.client: must be between 0 and 100; sampling.random: string is not a number; "
            "sampling.overall: must be between 0 and 100");
  for (const char* wrong : {"nan", "inf", "''"}) {
    EXPECT_EQ(refusal_of(std::string("{backends: [], sampling: {client: ") + (wrong[0] == '\'' ? wrong : "'" + std::string(wrong) + "'") + "}}"),
              "sampling.client: string is not a number")
        << wrong;
  }
  EXPECT_EQ(refusal_of("{backends: [], sampling: {overall: '0.5', client: 0, random: 100}}"), "");
}

}  // namespace
}  // namespace kuma::policy
