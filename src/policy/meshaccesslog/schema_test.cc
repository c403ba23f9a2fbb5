#include "policy/meshaccesslog/schema.h"

#include "base/status.h"
#include "gtest/gtest.h"
#include "model/rest.h"
#include "policy/policy.h"

namespace kuma::policy {
namespace {

std::string refusal_of_spec(const std::string& spec) {
  const model::Registry registry(policy_types());
  const auto document = parse_yaml("{type: MeshAccessLog, mesh: default, name: log, spec: " + spec + "}");
  EXPECT_TRUE(document.ok()) << document.status();
  return std::string(message_of(model::from_rest(registry, *document).status()));
}

// What is wrong with one backend, without the path up to it.
std::string refusal_of(const std::string& backend, const std::string& list = "to") {
  std::string text = refusal_of_spec("{targetRef: {kind: Mesh}, " + list + ": [{targetRef: {kind: Mesh}, default: {backends: [" +
                                     backend + "]}}]}");
  const std::string at = "spec." + list + "[0].default.backends[0].";
  for (size_t found = text.find(at); found != std::string::npos; found = text.find(at)) {
    text.erase(found, at.size());
  }
  return text;
}

std::string refusal_of_format(const std::string& format) {
  return refusal_of("{type: File, file: {path: /log, format: " + format + "}}");
}

TEST(MeshAccessLogSchema, Wants_from_or_to) {
  EXPECT_EQ(refusal_of_spec("{targetRef: {kind: Mesh}}"), "spec: at least one of 'from', 'to' has to be defined");
  EXPECT_EQ(refusal_of_spec("{targetRef: {kind: Mesh}, to: [], from: []}"), "spec: at least one of 'from', 'to' has to be defined");
}

TEST(MeshAccessLogSchema, Takes_only_the_targets_of_its_places) {
  EXPECT_EQ(refusal_of_spec("{targetRef: {kind: MeshHTTPRoute, name: r}, to: [{targetRef: {kind: MeshSubset}, default: {backends: []}}], "
                            "from: [{targetRef: {kind: MeshService, name: a}, default: {backends: []}}]}"),
            "spec.targetRef.kind: value is not supported; spec.to[0].targetRef.kind: value is not supported; "
            "spec.from[0].targetRef.kind: value is not supported");
  EXPECT_EQ(refusal_of_spec("{targetRef: {kind: MeshGateway, name: edge}, to: [{targetRef: {kind: Mesh}, default: {backends: []}}]}"), "");
}

TEST(MeshAccessLogSchema, Backends_have_to_be_defined_and_may_be_empty) {
  EXPECT_EQ(refusal_of_spec("{targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {}}], from: [{targetRef: {kind: Mesh}}]}"),
            "spec.to[0].default.backends: must be defined; spec.from[0].default.backends: must be defined");
  EXPECT_EQ(refusal_of_spec("{targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {backends: []}}]}"), "");
}

TEST(MeshAccessLogSchema, The_section_of_the_type_has_to_be_there) {
  EXPECT_EQ(refusal_of("{type: File}"), "file: must be defined");
  EXPECT_EQ(refusal_of("{type: Tcp, file: {path: /log}}"), "tcp: must be defined");
  EXPECT_EQ(refusal_of("{type: OpenTelemetry}", "from"), "openTelemetry: must be defined");
}

TEST(MeshAccessLogSchema, Unknown_types_are_refused_by_the_schema) {
  EXPECT_EQ(refusal_of("{type: Syslog}"), "type: in body should be one of [Tcp File OpenTelemetry]");
  EXPECT_EQ(refusal_of("{file: {path: /log}}"), "type: in body is required");
  EXPECT_EQ(refusal_of_format("{type: Xml}"), "file.format.type: in body should be one of [Plain Json]");
  EXPECT_EQ(refusal_of("{type: File, file: {}}"), "file.path: in body is required");
  EXPECT_EQ(refusal_of("{type: Tcp, tcp: {}}"), "tcp.address: in body is required");
  EXPECT_EQ(refusal_of("{type: OpenTelemetry, openTelemetry: {endpoint: ''}}"),
            "openTelemetry.endpoint: in body should be at least 1 chars long");
}

TEST(MeshAccessLogSchema, Files_need_an_absolute_path) {
  for (const char* path : {"''", "a", "no path", "../a"}) {
    EXPECT_EQ(refusal_of(std::string("{type: File, file: {path: ") + path + "}}"), "file.path: file backend requires a valid path") << path;
  }
  EXPECT_EQ(refusal_of("{type: File, file: {path: /tmp/log.txt}}"), "");
}

TEST(MeshAccessLogSchema, TCP_needs_an_address) {
  for (const char* address : {"''", "not an address", "a:b", "a:70000", "a b:1"}) {
    EXPECT_EQ(refusal_of(std::string("{type: Tcp, tcp: {address: '") + address + "'}}"), "tcp.address: tcp backend requires valid address")
        << address;
  }
  for (const char* address : {"logs.example.org:5000", "10.0.0.1:5000", "[fd00::1]:5000"}) {
    EXPECT_EQ(refusal_of(std::string("{type: Tcp, tcp: {address: '") + address + "'}}"), "") << address;
  }
}

TEST(MeshAccessLogSchema, A_format_has_what_its_type_says) {
  EXPECT_EQ(refusal_of_format("{type: Plain}"), "file.format.plain: must be defined");
  EXPECT_EQ(refusal_of_format("{type: Plain, plain: ''}"), "file.format.plain: must not be empty");
  EXPECT_EQ(refusal_of_format("{type: Json}"), "file.format.json: must be defined");
  EXPECT_EQ(refusal_of_format("{type: Json, json: []}"), "file.format.json: must not be empty");
  EXPECT_EQ(refusal_of("{type: Tcp, tcp: {address: 'a:1', format: {type: Plain}}}"), "tcp.format.plain: must be defined");
}

TEST(MeshAccessLogSchema, Pairs_of_JSON_need_both_and_no_escapes) {
  EXPECT_EQ(refusal_of_format("{type: Json, json: [{key: a}, {value: b}, {key: 'q\"', value: c}]}"),
            "file.format.json[0].value: value cannot be empty; file.format.json[1].key: key cannot be empty; "
            "file.format.json[2]: is not a valid JSON object");
}

TEST(MeshAccessLogSchema, A_placeholder_that_would_stop_proxies_is_refused_and_its_field_named) {
  EXPECT_EQ(refusal_of_format("{type: Plain, plain: '100% x'}"),
            R"(file.format.plain: format string is not valid: expected a command operator to start at position 4, instead got: "% x")");
  EXPECT_EQ(refusal_of_format("{type: Json, json: [{key: a, value: '%START_TIME%'}, {key: b, value: '%REQ%'}]}"),
            R"(file.format.json[1].value: format string is not valid: command "%REQ%" requires a header and optional alternative header )"
            R"(names as its arguments, instead got "%REQ%")");
  EXPECT_EQ(refusal_of("{type: OpenTelemetry, openTelemetry: {endpoint: a, body: {kvlistValue: {values: [{key: k, value: {stringValue: '%'}}]}}}}"),
            R"(openTelemetry.body: format string is not valid: expected a command operator to start at position 1, instead got: "%")");
}

TEST(MeshAccessLogSchema, A_body_that_Envoy_would_refuse_is_refused) {
  for (const char* body : {"{intValue: '3'}", "{}", "{arrayValue: {values: [{boolValue: true}]}}"}) {
    EXPECT_EQ(refusal_of(std::string("{type: OpenTelemetry, openTelemetry: {endpoint: a, body: ") + body + "}}"),
              "openTelemetry.body: values have to be one of stringValue, arrayValue, kvlistValue")
        << body;
  }
  EXPECT_EQ(refusal_of("{type: OpenTelemetry, openTelemetry: {endpoint: a, body: {not: otlp}}}"), "");
}

TEST(MeshAccessLogSchema, Collectors_are_hosts_with_or_without_a_port) {
  for (const char* endpoint : {"a:b", "a:0", "a:70000", "a:1:2", ":4317", "http://a", "[a]:1", "[::1"}) {
    EXPECT_EQ(refusal_of(std::string("{type: OpenTelemetry, openTelemetry: {endpoint: '") + endpoint + "'}}"),
              fmt::format("openTelemetry.endpoint: has to be in format of HOST or HOST:PORT, got \"{}\"", endpoint));
  }
  for (const char* endpoint : {"a", "a:4318", "10.0.0.1", "[::1]", "[::1]:99"}) {
    EXPECT_EQ(refusal_of(std::string("{type: OpenTelemetry, openTelemetry: {endpoint: '") + endpoint + "'}}"), "") << endpoint;
  }
}

}  // namespace
}  // namespace kuma::policy
