#include "model/testing.h"

namespace kuma::model {
namespace {

using namespace testing;

const Registry& registry() {
  static const Registry kRegistry(core_types());
  return kRegistry;
}

std::vector<std::string> policy(const std::string& type, const std::string& spec) {
  return refusals(registry(), "{type: " + type + ", mesh: m, name: p, " + spec + "}");
}

// From everything to everything, with this conf.
std::vector<std::string> conf(const std::string& type, const std::string& text) {
  return policy(type, "sources: [{match: {kuma.io/service: '*'}}], destinations: [{match: {kuma.io/service: '*', kuma.io/protocol: http}}], conf: " + text);
}

std::vector<std::string> service_conf(const std::string& type, const std::string& text) {
  return policy(type, "sources: [{match: {kuma.io/service: '*'}}], destinations: [{match: {kuma.io/service: '*'}}], conf: " + text);
}

TEST(LegacyPolicies, Need_sources_and_destinations) {
  for (const char* type : {"TrafficPermission", "TrafficLog"}) {
    EXPECT_THAT(policy(type, "x: 1"), ElementsAre("sources: must have at least one element", "destinations: must have at least one element"));
  }
  for (const char* type : {"TrafficRoute", "HealthCheck", "CircuitBreaker", "Retry", "Timeout", "FaultInjection", "RateLimit"}) {
    const auto found = policy(type, "x: 1");
    ASSERT_EQ(found.size(), 3U) << type;
    EXPECT_EQ(found[0], "sources: must have at least one element") << type;
    EXPECT_EQ(found[1], "destinations: must have at least one element") << type;
  }
  EXPECT_THAT(policy("TrafficTrace", "x: 1"), ElementsAre("selectors: must have at least one element"));
}

TEST(LegacyPolicies, Between_services_connect_to_the_service_tag_alone) {
  for (const char* type : {"TrafficLog", "HealthCheck", "CircuitBreaker", "Retry", "Timeout", "TrafficRoute"}) {
    const auto found = policy(type, "sources: [{match: {a: b}}], destinations: [{match: {kuma.io/service: x, version: '1'}}]");
    ASSERT_GE(found.size(), 3U) << type;
    EXPECT_EQ(found[0], "sources[0].match: mandatory tag \"kuma.io/service\" is missing") << type;
    EXPECT_EQ(found[1], "destinations[0].match: must consist of exactly one tag \"kuma.io/service\"") << type;
    EXPECT_EQ(found[2], "destinations[0].match[\"version\"]: tag \"version\" is not allowed") << type;
  }
}

TEST(TrafficPermission, Takes_any_tags) {
  EXPECT_THAT(policy("TrafficPermission", "sources: [{match: {version: '1'}}], destinations: [{match: {a: '*'}}]"), IsEmpty());
  EXPECT_THAT(policy("TrafficPermission", "sources: [{}], destinations: [{match: {kuma.io/service: 'web-*'}}]"),
              ElementsAre("sources[0].match: must have at least one tag",
                          "destinations[0].match[\"kuma.io/service\"]: tag value must consist of alphanumeric characters, dots, dashes, slashes and "
                          "underscores or be \"*\""));
}

TEST(FaultInjection, Needs_an_http_protocol_of_its_destinations) {
  const char* to = "sources: [{match: {a: b}}], conf: {delay: {percentage: 1, value: 1s}}, destinations: [{match: {kuma.io/service: a%s}}]";
  const auto with = [&](const std::string& tag) {
    std::string text = to;
    return policy("FaultInjection", text.replace(text.find("%s"), 2, tag));
  };
  EXPECT_THAT(with(""), ElementsAre("destinations[0].match: protocol must be specified"));
  EXPECT_THAT(with(", kuma.io/protocol: tcp"), ElementsAre("destinations[0].match[\"kuma.io/protocol\"]: must be one of the [http, http2, grpc]"));
  for (const char* protocol : {"http", "http2", "grpc"}) {
    EXPECT_THAT(with(std::string(", kuma.io/protocol: ") + protocol), IsEmpty());
  }
}

TEST(FaultInjection, Refuses_faults) {
  EXPECT_THAT(conf("FaultInjection", "{delay: {}, abort: {}, responseBandwidth: {}}"),
              ElementsAre("conf: must have at least one of the faults configured"));
  EXPECT_THAT(conf("FaultInjection", "{delay: {percentage: 100.1}, abort: {percentage: -1, httpStatus: 199}, responseBandwidth: {percentage: 1, limit: 10 bits}}"),
              ElementsAre("conf.delay.percentage: has to be in [0.0 - 100.0] range", "conf.delay.value: cannot be empty",
                          "conf.abort.percentage: has to be in [0.0 - 100.0] range", "conf.abort.httpStatus: http status code is incorrect",
                          "conf.responseBandwidth.limit: has to be in kbps/mbps/gbps units"));
  EXPECT_THAT(conf("FaultInjection", "{delay: {value: 1s}, abort: {percentage: 1}, responseBandwidth: {percentage: 1}}"),
              ElementsAre("conf.delay.percentage: cannot be empty", "conf.abort.httpStatus: cannot be empty",
                          "conf.responseBandwidth.limit: cannot be empty"));
}

TEST(HealthCheck, Refuses_confs) {
  EXPECT_THAT(service_conf("HealthCheck", "null"), ElementsAre("conf: has to be defined"));
  EXPECT_THAT(service_conf("HealthCheck", "{}"),
              ElementsAre("conf.interval: must have a positive value", "conf.timeout: must have a positive value",
                          "conf.unhealthyThreshold: must have a positive value", "conf.healthyThreshold: must have a positive value"));
  const std::string fine = "interval: 1s, timeout: 1s, unhealthyThreshold: 1, healthyThreshold: 1";
  EXPECT_THAT(service_conf("HealthCheck", "{" + fine + ", initialJitter: 0s, intervalJitter: 0s, noTrafficInterval: 0s, healthyPanicThreshold: 101}"),
              ElementsAre("conf.initialJitter: must have a positive value", "conf.intervalJitter: must have a positive value",
                          "conf.noTrafficInterval: must have a positive value", "conf.healthyPanicThreshold: must be in range [0.0 - 100.0]"));
  EXPECT_THAT(service_conf("HealthCheck", "{" + fine + ", http: {expectedStatuses: [99, 100, 600], requestHeadersToAdd: [{}, {header: {}}]}}"),
              ElementsAre("conf.http.path: has to be defined and cannot be empty", "conf.http.expectedStatuses[0]: must be in range [100, 600)",
                          "conf.http.expectedStatuses[2]: must be in range [100, 600)",
                          "conf.http.requestHeadersToAdd[0].header: has to be defined",
                          "conf.http.requestHeadersToAdd[1].header.key: cannot be empty"));
  EXPECT_THAT(service_conf("HealthCheck", "{" + fine + ", http: {path: /}, tcp: {}}"),
              ElementsAre("conf: http and tcp cannot be defined at the same time"));
}

TEST(CircuitBreaker, Refuses_confs) {
  const char* nothing = "conf: must have at least one of the detector or threshold configured";
  for (const char* text : {"null", "{}", "{maxEjectionPercent: 200}", "{detectors: {}, thresholds: {}}"}) {
    EXPECT_THAT(service_conf("CircuitBreaker", text), ElementsAre(nothing)) << text;
  }
  EXPECT_THAT(service_conf("CircuitBreaker", "{detectors: {}, thresholds: {maxRetries: 1}}"), ElementsAre("conf.detectors: can't be empty"));
  EXPECT_THAT(service_conf("CircuitBreaker", "{detectors: {totalErrors: {}}, thresholds: {}}"), ElementsAre("conf.thresholds: can't be empty"));
  EXPECT_THAT(service_conf("CircuitBreaker", "{maxEjectionPercent: 101, detectors: {failure: {threshold: 101}}}"),
              ElementsAre("conf.maxEjectionPercent: has to be in [0.0 - 100.0] range",
                          "conf.detectors.failure.threshold: has to be in [0.0 - 100.0] range"));
}

TEST(Retry, Refuses_confs) {
  EXPECT_THAT(service_conf("Retry", "null"), ElementsAre("conf: has to be defined"));
  EXPECT_THAT(service_conf("Retry", "{}"), ElementsAre("conf: missing protocol [grpc|http|tcp] configuration"));
  EXPECT_THAT(service_conf("Retry", "{http: {}, grpc: {}, tcp: {}}"),
              ElementsAre("conf.http: field cannot be empty", "conf.grpc: field cannot be empty",
                          "conf.tcp.maxConnectAttempts: has to be greater than 0"));
  EXPECT_THAT(service_conf("Retry", "{http: {numRetries: 0, perTryTimeout: 0s, backOff: {}}, grpc: {backOff: {baseInterval: 0s, maxInterval: 0s}}}"),
              ElementsAre("conf.http.numRetries: has to be greater than 0 when defined",
                          "conf.http.perTryTimeout: has to be greater than 0 when defined", "conf.http.backOff.baseInterval: has to be defined",
                          "conf.grpc.backOff.baseInterval: has to be greater than 0"));
  EXPECT_THAT(service_conf("Retry", "{http: {backOff: {baseInterval: 1s, maxInterval: 0s}, retriableMethods: [GET, NONE], retryOn: [reset, retriable_status_codes]}}"),
              ElementsAre("conf.http.backOff.maxInterval: has to be greater than 0 when defined",
                          "conf.http.retriableMethods[1]: field cannot be empty",
                          "conf.http.retryOn[1]: retriableStatusCodes cannot be empty when this option is specified"));
  EXPECT_THAT(service_conf("Retry", "{grpc: {retryOn: [unavailable, cancelled, unavailable, cancelled, internal, unavailable]}}"),
              ElementsAre("conf.grpc.retryOn: repeated value \"cancelled\" at indexes [1, 3]",
                          "conf.grpc.retryOn: repeated value \"unavailable\" at indexes [0, 2, 5]"));
}

TEST(Timeout, Refuses_confs) {
  EXPECT_THAT(service_conf("Timeout", "null"), ElementsAre("conf: has to be defined"));
  EXPECT_THAT(service_conf("Timeout", "{}"), IsEmpty());
  EXPECT_THAT(service_conf("Timeout", "{tcp: {}, http: {streamIdleTimeout: 1s, maxStreamDuration: 1s}, grpc: {}}"),
              ElementsAre("conf.tcp: at least one timeout in section has to be defined",
                          "conf.http: at least one timeout in section has to be defined",
                          "conf.grpc: at least one timeout in section has to be defined"));
  EXPECT_THAT(service_conf("Timeout", "{connectTimeout: 0s, tcp: {idleTimeout: 0s}, http: {requestTimeout: 0s, idleTimeout: 0s}, grpc: "
                                      "{streamIdleTimeout: 0s, maxStreamDuration: 0s}}"),
              ElementsAre("conf.tcp.idleTimeout: has to be greater than 0", "conf.http.requestTimeout: has to be greater than 0 when defined",
                          "conf.http.idleTimeout: has to be greater than 0 when defined",
                          "conf.grpc.streamIdleTimeout: has to be greater than 0 when defined",
                          "conf.grpc.maxStreamDuration: has to be greater than 0 when defined"));
}

TEST(RateLimit, Refuses_confs) {
  EXPECT_THAT(conf("RateLimit", "null"), ElementsAre("conf: must have conf"));
  EXPECT_THAT(conf("RateLimit", "{}"), IsEmpty());
  EXPECT_THAT(conf("RateLimit", "{http: {onRateLimit: {headers: [{}, {key: a}]}}}"),
              ElementsAre("conf.http.requests: requests must be set", "conf.http.interval: interval must be set",
                          "conf.http.onRateLimit.header[\"0\"]: key must be set", "conf.http.onRateLimit.header[\"0\"]: value must be set",
                          "conf.http.onRateLimit.header[\"1\"]: value must be set"));
}

TEST(TrafficRoute, Needs_somewhere_to_go) {
  EXPECT_THAT(service_conf("TrafficRoute", "null"), ElementsAre("conf: cannot be empty"));
  EXPECT_THAT(service_conf("TrafficRoute", "{}"), ElementsAre("conf: requires either \"destination\" or \"split\""));
  EXPECT_THAT(service_conf("TrafficRoute", "{destination: {kuma.io/service: b}, split: [{weight: 1, destination: {kuma.io/service: b}}]}"),
              ElementsAre("conf: \"split\" cannot be defined at the same time as \"destination\""));
  EXPECT_THAT(service_conf("TrafficRoute", "{destination: {version: '1'}}"),
              ElementsAre("conf.destination: mandatory tag \"kuma.io/service\" is missing"));
  EXPECT_THAT(service_conf("TrafficRoute", "{split: [{}, {weight: 0, destination: {a: b}}]}"),
              ElementsAre("conf.split[0].weight: needs to be defined", "conf.split[0].destination: must have at least one tag",
                          "conf.split[0].destination: mandatory tag \"kuma.io/service\" is missing",
                          "conf.split[1].destination: mandatory tag \"kuma.io/service\" is missing",
                          "conf.split: there must be at least one split entry with weight above 0"));
}

std::vector<std::string> http_route(const std::string& rule) {
  return service_conf("TrafficRoute", "{destination: {kuma.io/service: b}, http: [{destination: {kuma.io/service: b}, " + rule + "}]}");
}

TEST(TrafficRoute, Refuses_matches) {
  const char* nothing = "conf.http[0].match: must be present and contain at least one of the elements: \"method\", \"path\" or \"headers\"";
  EXPECT_THAT(http_route("x: 1"), ElementsAre(nothing));
  EXPECT_THAT(http_route("match: {}"), ElementsAre(nothing));
  EXPECT_THAT(http_route("match: {method: {}, path: {prefix: ''}, headers: {'': {exact: x}, a: {}, b: {regex: ''}, c: {exact: ''}}}"),
              ElementsAre("conf.http[0].match.method: cannot be empty. Available options: \"exact\", \"split\" or \"regex\"",
                          "conf.http[0].match.path.prefix: cannot be empty", "conf.http[0].match.headers[\"\"]: cannot be empty",
                          "conf.http[0].match.headers[\"a\"]: cannot be empty. Available options: \"exact\", \"split\" or \"regex\"",
                          "conf.http[0].match.headers[\"b\"].regex: cannot be empty"));
  EXPECT_THAT(service_conf("TrafficRoute", "{destination: {kuma.io/service: b}, http: [{match: {method: {exact: GET}}}]}"),
              ElementsAre("conf.http[0]: requires either \"destination\" or \"split\""));
}

TEST(TrafficRoute, Refuses_changes_of_path_and_host) {
  const std::string any = "match: {method: {exact: GET}}, modify: ";
  EXPECT_THAT(http_route(any + "{path: {rewritePrefix: /x}, host: {value: ''}}"),
              ElementsAre("conf.http[0].modify.path.rewritePrefix: can only be set when .http.match.path.prefix is not empty",
                          "conf.http[0].modify.host.value: cannot be empty"));
  EXPECT_THAT(http_route(any + "{path: {}, host: {}}"), ElementsAre("conf.http[0].modify.path: either \"rewritePrefix\" or \"regex\" has to be set",
                                                                  "conf.http[0].modify.host: either \"value\" or \"fromPath\" has to be set"));
  EXPECT_THAT(http_route("match: {path: {prefix: /}}, modify: {path: {rewritePrefix: ''}, host: {fromPath: {}}}"),
              ElementsAre("conf.http[0].modify.path.rewritePrefix: cannot be empty", "conf.http[0].modify.host.fromPath.pattern: cannot be empty",
                          "conf.http[0].modify.host.fromPath.substitution: cannot be empty"));
  EXPECT_THAT(http_route(any + "{path: {regex: {}}}"), ElementsAre("conf.http[0].modify.path.regex.pattern: cannot be empty",
                                                                  "conf.http[0].modify.path.regex.substitution: cannot be empty"));
}

TEST(TrafficRoute, Refuses_changes_of_headers) {
  const char* host = "host header and HTTP/2 pseudo-headers are not allowed to be modified";
  EXPECT_THAT(http_route("match: {method: {exact: GET}}, modify: {requestHeaders: {add: [{}, {name: Host, value: x}], remove: [{}, {name: ':path'}]}, "
                         "responseHeaders: {add: [{name: host}]}}"),
              ElementsAre("conf.http[0].modify.requestHeaders.add[0].name: cannot be empty",
                          "conf.http[0].modify.requestHeaders.add[0].value: cannot be empty",
                          std::string("conf.http[0].modify.requestHeaders.add[1].name: ") + host,
                          "conf.http[0].modify.requestHeaders.remove[0].name: cannot be empty",
                          std::string("conf.http[0].modify.requestHeaders.remove[1].name: ") + host,
                          std::string("conf.http[0].modify.responseHeaders.add[0].name: ") + host,
                          "conf.http[0].modify.responseHeaders.add[0].value: cannot be empty"));
}

TEST(TrafficRoute, Refuses_load_balancers) {
  const auto balancer = [](const std::string& text) {
    return service_conf("TrafficRoute", "{destination: {kuma.io/service: b}, loadBalancer: " + text + "}");
  };
  EXPECT_THAT(balancer("{leastRequest: {choiceCount: 1}}"),
              ElementsAre("conf.loadBalancer.leastRequest.choiceCount: value must be greater than or equal to 2"));
  EXPECT_THAT(balancer("{leastRequest: {}}"), IsEmpty());
  for (const char* hash : {"{ringHash: {}}", "{ringHash: {hashFunction: SHA}}"}) {
    EXPECT_THAT(balancer(hash), ElementsAre("conf.loadBalancer.ringHash.hashFunction: must have a valid hash function"));
  }
  EXPECT_THAT(balancer("{ringHash: {hashFunction: MURMUR_HASH_2}}"), IsEmpty());
}

std::vector<std::string> outbound(const std::string& text) {
  return policy("VirtualOutbound", "selectors: [{match: {kuma.io/service: '*'}}], conf: " + text);
}

TEST(VirtualOutbound, Needs_a_conf_with_the_service_a_host_and_a_port) {
  EXPECT_THAT(policy("VirtualOutbound", "x: 1"), ElementsAre("selectors: must have at least one element", "conf: has to be defined"));
  EXPECT_THAT(outbound("{}"), ElementsAre("conf.parameters: must contain a parameter with kuma.io/service as a tagKey",
                                          "conf.host: has to be defined", "conf.port: has to be defined"));
}

TEST(VirtualOutbound, Refuses_parameters) {
  EXPECT_THAT(outbound("{host: a.x, port: '80', parameters: [{name: s, tagKey: kuma.io/service}, {name: s, tagKey: x}, {name: a b}, {name: ab, "
                       "tagKey: c d}, {name: kuma.io/x}]}"),
              ElementsAre("conf.parameters[1].name: name is already used",
                          "conf.parameters[2].name: must be a valid tag name if you are not setting tagKey",
                          "conf.parameters[2].name: must consist of alphanumeric characters to be used as a gotemplate key",
                          "conf.parameters[3].tagKey: must be a valid tag name",
                          "conf.parameters[4].name: must consist of alphanumeric characters to be used as a gotemplate key"));
}

TEST(VirtualOutbound, Tries_its_templates) {
  const auto with = [](const char* host, const char* port) {
    return outbound(fmt::format("{{host: '{}', port: '{}', parameters: [{{name: s, tagKey: kuma.io/service}}]}}", host, port));
  };
  constexpr const char* kFrame = "template pre evaluation failed with error=";
  EXPECT_THAT(with("{{.s", "80"), ElementsAre(fmt::format("conf.host: {}'failed compiling gotemplate error='template: :1: unclosed action''", kFrame)));
  EXPECT_THAT(with("{{len 5}}", "80"),
              ElementsAre(fmt::format("conf.host: {}'pre evaluation of template with parameters failed with error='template: :1: error calling len: "
                                      "no string''",
                                      kFrame)));
  EXPECT_THAT(with("{{.no}}.x", "80"),
              ElementsAre(fmt::format("conf.host: {}'evaluation of template with parameters didn't return a valid dns name result='<no value>.x''", kFrame)));
  EXPECT_THAT(with("a", "http"),
              ElementsAre(fmt::format("conf.port: {}'evaluation of template with parameters didn't evaluate to a parsable number result='http''", kFrame)));
  for (const char* port : {"0", "70000"}) {
    EXPECT_THAT(with("a", port), ElementsAre(fmt::format("conf.port: {}'evaluation of template returned a port outside of the range [1..65535] "
                                                         "result='{}''",
                                                         kFrame, port)));
  }
  EXPECT_THAT(with("{{.s}}.mesh", "808{{.s}}"), IsEmpty());
}

std::vector<std::string> proxy_template(const std::string& text) {
  return policy("ProxyTemplate", "selectors: [{match: {kuma.io/service: '*'}}], conf: " + text);
}

TEST(ProxyTemplate, May_select_nothing_but_if_so_by_service) {
  EXPECT_THAT(policy("ProxyTemplate", "conf: {imports: [default-proxy]}"), IsEmpty());
  EXPECT_THAT(policy("ProxyTemplate", "selectors: [{}]"), ElementsAre("selectors[0].match: must have at least one tag",
                                                                     "selectors[0].match: mandatory tag \"kuma.io/service\" is missing"));
}

TEST(ProxyTemplate, Knows_its_profiles) {
  EXPECT_THAT(proxy_template("{imports: ['', nonsense, gateway-proxy]}"),
              ElementsAre("conf.imports[0]: cannot be empty",
                          "conf.imports[1]: profile not found. Available profiles: default-proxy,egress-proxy,gateway-proxy,ingress-proxy"));
}

TEST(ProxyTemplate, Refuses_raw_resources) {
  const auto found = proxy_template("{resources: [{}, {name: a, version: b, resource: nonsense}, {name: a, version: b, resource: '{'}]}");
  ASSERT_EQ(found.size(), 5U);
  EXPECT_EQ(found[0], "conf.resources[0].name: cannot be empty");
  EXPECT_EQ(found[1], "conf.resources[0].version: cannot be empty");
  EXPECT_EQ(found[2], "conf.resources[0].resource: cannot be empty");
  EXPECT_EQ(found[3], "conf.resources[1].resource: native Envoy resource is not valid: expected an object, got \"nonsense\"");
  EXPECT_THAT(found[4], ::testing::StartsWith("conf.resources[2].resource: native Envoy resource is not valid: "));
}

TEST(ProxyTemplate, Refuses_modifications_of_resources) {
  const char* operations = "invalid operation. Available operations: \"add\", \"patch\", \"remove\"";
  EXPECT_THAT(proxy_template("{modifications: [{cluster: {operation: add, match: {name: x}, value: 'name: c'}}, {cluster: {operation: addFirst}}, "
                             "{listener: {operation: add, match: {origin: x}, value: 'name: c'}}, {listener: {}}, {virtualHost: {operation: add, match: "
                             "{name: x}, value: '{name: v, domains: [v]}'}}, {virtualHost: {operation: move}}, {cluster: {operation: remove}}, {}]}"),
              ElementsAre("conf.modifications[0].cluster.match: cannot be defined",
                          std::string("conf.modifications[1].cluster.operation: ") + operations,
                          "conf.modifications[2].listener.match: cannot be defined",
                          std::string("conf.modifications[3].listener.operation: ") + operations,
                          "conf.modifications[4].virtualHost.match.name: cannot be defined",
                          std::string("conf.modifications[5].virtualHost.operation: ") + operations));
}

TEST(ProxyTemplate, Refuses_modifications_of_filters) {
  EXPECT_THAT(proxy_template("{modifications: [{networkFilter: {operation: add}}, {networkFilter: {operation: addBefore, value: 'name: a'}}, "
                             "{httpFilter: {operation: addAfter, match: {origin: inbound}, value: 'name: a'}}, {httpFilter: {operation: patch, value: "
                             "'name: a'}}, {httpFilter: {operation: remove}}]}"),
              ElementsAre("conf.modifications[0].networkFilter.operation: invalid operation. Available operations: \"addFirst\", \"addLast\", "
                          "\"addBefore\", \"addAfter\", \"patch\", \"remove\"",
                          "conf.modifications[1].networkFilter.match.name: cannot be empty. You need to pick a filter before which this one will be "
                          "added",
                          "conf.modifications[2].httpFilter.match.name: cannot be empty. You need to pick a filter after which this one will be added",
                          "conf.modifications[3].httpFilter.match.name: cannot be empty"));
}

}  // namespace
}  // namespace kuma::model
