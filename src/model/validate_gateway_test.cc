#include "model/testing.h"

namespace kuma::model {
namespace {

using namespace testing;

const Registry& registry() {
  static const Registry kRegistry(core_types());
  return kRegistry;
}

std::vector<std::string> gateway(const std::string& spec) { return refusals(registry(), "{type: MeshGateway, mesh: m, name: g, " + spec + "}"); }

std::vector<std::string> listeners(const std::string& list) {
  return gateway("selectors: [{match: {kuma.io/service: g}}], conf: {listeners: [" + list + "]}");
}

TEST(MeshGateway, Needs_selectors_and_listeners) {
  EXPECT_THAT(gateway("tags: {}"), ElementsAre("selectors: must have at least one element", "conf: cannot be empty"));
  EXPECT_THAT(gateway("selectors: [{match: {a: b}}], conf: {}"),
              ElementsAre("selectors[0].match: mandatory tag \"kuma.io/service\" is missing", "conf.listeners: cannot be empty"));
}

TEST(MeshGateway, Reserves_tags_that_the_mesh_sets) {
  EXPECT_THAT(gateway("selectors: [{match: {kuma.io/service: g}}], tags: {kuma.io/service: a, kuma.io/zone: z, b: 'c d'}, conf: {listeners: [{port: "
                      "80, protocol: HTTP, tags: {kuma.io/protocol: x, kuma.io/external-service-name: y}}]}"),
              ElementsAre("tags[\"b\"]: tag value must consist of alphanumeric characters, dots, dashes, slashes and underscores or be \"*\"",
                          "tags[\"kuma.io/service\"]: tag name must not be \"kuma.io/service\"",
                          "tags[\"kuma.io/zone\"]: tag name must not be \"kuma.io/zone\"",
                          "conf.listeners[0].tags[\"kuma.io/external-service-name\"]: tag name must not be \"kuma.io/external-service-name\"",
                          "conf.listeners[0].tags[\"kuma.io/protocol\"]: tag name must not be \"kuma.io/protocol\""));
}

TEST(MeshGateway, Refuses_hostnames_ports_and_missing_protocols) {
  EXPECT_THAT(listeners("{}, {port: 70000, protocol: HTTP, hostname: a_b}, {port: 81, protocol: HTTP, hostname: '*.b.*'}, {port: 82, protocol: HTTP, "
                        "hostname: '*'}"),
              ElementsAre("conf.listeners[0].port: port must be in the range [1, 65535]", "conf.listeners[0].protocol: cannot be empty",
                          "conf.listeners[1].hostname: invalid hostname", "conf.listeners[1].port: port must be in the range [1, 65535]",
                          "conf.listeners[2].hostname: invalid wildcard domain"));
}

TEST(MeshGateway, Refuses_tls) {
  EXPECT_THAT(listeners("{port: 1, protocol: HTTPS}, {port: 2, protocol: HTTPS, tls: {mode: PASSTHROUGH}}, {port: 3, protocol: TLS, tls: {mode: "
                        "TERMINATE}}, {port: 4, protocol: HTTPS, tls: {mode: TERMINATE, certificates: [{secret: a}, {secret: b}, {secret: c}]}}, "
                        "{port: 5, protocol: HTTP, tls: {}}, {port: 6, protocol: TLS, tls: {mode: PASSTHROUGH}}"),
              ElementsAre("conf.listeners[0].tls: cannot be empty", "conf.listeners[1].tls.mode: mode is not supported on HTTPS listeners",
                          "conf.listeners[2].tls.certificates: cannot be empty in TLS termination mode",
                          "conf.listeners[3].tls.certificates: cannot have more than 2 certificates",
                          "conf.listeners[4].tls.mode: cannot be empty"));
}

TEST(MeshGateway, Takes_one_selector_and_no_tls_across_meshes) {
  EXPECT_THAT(gateway("selectors: [{match: {kuma.io/service: a}}, {match: {kuma.io/service: b}}], conf: {listeners: [{port: 1, protocol: HTTPS, "
                      "crossMesh: true}, {port: 2, protocol: HTTP, crossMesh: true, tls: {mode: TERMINATE}}, {port: 3, protocol: HTTP, crossMesh: "
                      "true, tls: {}}]}"),
              ElementsAre("selectors[1]: there can be at most one selector",
                          "conf.listeners[0].protocol: protocol is not supported with crossMesh",
                          "conf.listeners[1].tls: must be empty with crossMesh"));
}

TEST(MeshGateway, Refuses_conflicts_on_a_port) {
  EXPECT_THAT(listeners("{port: 80, protocol: HTTP, hostname: a.b}, {port: 80, protocol: TCP, hostname: c.d}, {port: 81, protocol: HTTP}, {port: 81, "
                        "protocol: HTTP, hostname: '*'}, {port: 82, protocol: HTTP, hostname: a.b, resources: {connectionLimit: 1}}, {port: 82, "
                        "protocol: HTTP, hostname: c.d, resources: {connectionLimit: 2}}, {port: 82, protocol: HTTP, hostname: e.f}"),
              ElementsAre("conf.listeners[0]: protocol conflicts with other listeners on this port",
                          "conf.listeners[1]: protocol conflicts with other listeners on this port",
                          "conf.listeners[2]: multiple listeners for hostname on this port",
                          "conf.listeners[3]: multiple listeners for hostname on this port",
                          "conf.listeners[4].resources.connectionLimit: conflicting values for this port",
                          "conf.listeners[5].resources.connectionLimit: conflicting values for this port"));
}

std::vector<std::string> route(const std::string& spec) { return refusals(registry(), "{type: MeshGatewayRoute, mesh: m, name: r, " + spec + "}"); }

std::vector<std::string> rule(const std::string& members) {
  return route("selectors: [{match: {kuma.io/service: g}}], conf: {http: {rules: [{" + members + "}]}}");
}

std::vector<std::string> filters(const std::string& list, const std::string& match = "method: GET") {
  return rule("matches: [{" + match + "}], filters: [" + list + "], backends: [{destination: {kuma.io/service: b}}]");
}

TEST(MeshGatewayRoute, Needs_selectors_a_conf_and_rules) {
  EXPECT_THAT(route("conf: {}"), ElementsAre("selectors: must have at least one element", "conf: cannot be empty"));
  EXPECT_THAT(route("selectors: [{match: {kuma.io/service: g}}], conf: {http: {}}"), ElementsAre("conf.http.rules: cannot be empty"));
  EXPECT_THAT(route("selectors: [{match: {kuma.io/service: g}}], conf: {tcp: {}}"), IsEmpty());
}

TEST(MeshGatewayRoute, Refuses_matches) {
  EXPECT_THAT(rule("backends: []"), ElementsAre("conf.http.rules[0].matches: cannot be empty"));
  EXPECT_THAT(rule("matches: [{}, {path: {match: REGEX}}, {path: {value: rel}}, {path: {match: PREFIX}}, {headers: [{value: x}, {name: a}, {match: "
                   "ABSENT, name: b, value: c}, {match: PRESENT, name: d, value: e}]}, {queryParameters: [{}]}], backends: [{destination: "
                   "{kuma.io/service: b}}]"),
              ElementsAre("conf.http.rules[0].matches[0]: cannot be empty", "conf.http.rules[0].matches[1].value: cannot be empty",
                          "conf.http.rules[0].matches[2].value: must be an absolute path",
                          "conf.http.rules[0].matches[3].value: must be an absolute path",
                          "conf.http.rules[0].matches[4].headers[0].name: cannot be empty",
                          "conf.http.rules[0].matches[4].headers[1].value: cannot be empty",
                          "conf.http.rules[0].matches[4].headers[2].value: cannot be set",
                          "conf.http.rules[0].matches[4].headers[3].value: cannot be set",
                          "conf.http.rules[0].matches[5].query_parameters[0].name: cannot be empty",
                          "conf.http.rules[0].matches[5].query_parameters[0].value: cannot be empty"));
}

TEST(MeshGatewayRoute, Refuses_header_filters) {
  EXPECT_THAT(filters("{requestHeader: {}}, {requestHeader: {set: [{}], add: [{name: a}], remove: ['']}}, {responseHeader: {set: [{}]}}"),
              ElementsAre("conf.http.rules[0].filters[0].request_header: cannot be empty",
                          "conf.http.rules[0].filters[1].request_header.set[0].name: cannot be empty",
                          "conf.http.rules[0].filters[1].request_header.set[0].value: cannot be empty",
                          "conf.http.rules[0].filters[1].request_header.add[0].value: cannot be empty",
                          "conf.http.rules[0].filters[1].request_header.remove[0]: cannot be empty"));
}

TEST(MeshGatewayRoute, Refuses_what_Envoy_would_refuse_all_routes_for) {
  EXPECT_THAT(rule("matches: [{path: {match: REGEX, value: '/('}}, {headers: [{match: REGEX, name: a, value: '['}, {name: 'a b', value: x}]}, "
                   "{queryParameters: [{match: REGEX, name: a, value: '*'}]}], backends: [{destination: {kuma.io/service: b}}]"),
              ElementsAre("conf.http.rules[0].matches[0].value: must be a regular expression of RE2: error parsing regexp: missing closing ): "
                          "`/(`",
                          "conf.http.rules[0].matches[1].headers[0].value: must be a regular expression of RE2: error parsing regexp: missing "
                          "closing ]: `[`",
                          "conf.http.rules[0].matches[1].headers[1].name: must be the name of a header: letters, digits and "
                          "!#$%&'*+-.^_|~`",
                          "conf.http.rules[0].matches[2].query_parameters[0].value: must be a regular expression of RE2: error parsing regexp: "
                          "missing argument to repetition operator: `*`"));
  EXPECT_THAT(filters(R"({requestHeader: {set: [{name: "a:", value: "x\ny"}], remove: ["é"]}})"),
              ElementsAre("conf.http.rules[0].filters[0].request_header.set[0].name: must be the name of a header: letters, digits and "
                          "!#$%&'*+-.^_|~`",
                          "conf.http.rules[0].filters[0].request_header.set[0].value: must not have line breaks",
                          "conf.http.rules[0].filters[0].request_header.remove[0]: must be the name of a header: letters, digits and "
                          "!#$%&'*+-.^_|~`"));
  EXPECT_THAT(rule("matches: [{method: GET}], filters: [{redirect: {statusCode: 304}}]"),
              ElementsAre("conf.http.rules[0].filters[0].redirect.status_code: must be one of 301, 302, 303, 307, 308, which Envoy can answer "
                          "with"));
  EXPECT_THAT(rule("matches: [{path: {match: REGEX, value: '/[a-z]+'}, headers: [{match: REGEX, name: ':authority', value: 'x.*'}]}], backends: "
                   "[{destination: {kuma.io/service: b}}]"),
              IsEmpty());
}

TEST(MeshGatewayRoute, Refuses_to_set_the_host_twice) {
  EXPECT_THAT(filters("{rewrite: {hostToBackendHostname: true}}, {requestHeader: {set: [{name: Host, value: x}], add: [{name: ':authority', value: y}]}}"),
              ElementsAre("conf.http.rules[0].filters[0].request_header.set[0]: cannot modify 'Host' header, when route has set "
                          "'rewrite.host_to_backend_hostname' option",
                          "conf.http.rules[0].filters[0].request_header.add[0]: cannot modify ':authority' header, when route has set "
                          "'rewrite.host_to_backend_hostname' option"));
  EXPECT_THAT(filters("{requestHeader: {set: [{name: Host, value: x}]}}"), IsEmpty());
}

TEST(MeshGatewayRoute, Refuses_redirects) {
  EXPECT_THAT(rule("matches: [{method: GET}], filters: [{redirect: {port: 70000, statusCode: 200}}]"),
              ElementsAre("conf.http.rules[0].filters[0].redirect.port: port must be in the range [1, 65535]",
                          "conf.http.rules[0].filters[0].redirect.status_code: must be in the range [300, 308]"));
  EXPECT_THAT(filters("{redirect: {statusCode: 301}}, {requestHeader: {remove: [x]}}"),
              ElementsAre("conf.http.rules[0].filters: redirects cannot be used with other filters"));
  EXPECT_THAT(filters("{redirect: {statusCode: 301}}"), ElementsAre("conf.http.rules[0].backends: must be empty when using redirect filters"));
}

TEST(MeshGatewayRoute, Refuses_mirrors) {
  EXPECT_THAT(filters("{mirror: {}}, {mirror: {percentage: 101, backend: {destination: {a: b}}}}"),
              ElementsAre("conf.http.rules[0].filters[0].mirror.percentage: cannot be empty",
                          "conf.http.rules[0].filters[0].mirror.backend: cannot be empty",
                          "conf.http.rules[0].filters[1].mirror.percentage: has to be in [0.0 - 100.0] range",
                          "conf.http.rules[0].filters[1].mirror.backend: mandatory tag \"kuma.io/service\" is missing"));
}

TEST(MeshGatewayRoute, Replaces_prefixes_only_where_one_matched) {
  EXPECT_THAT(filters("{rewrite: {replacePrefixMatch: /b}}", "path: {value: /a}"),
              ElementsAre("conf.http.rules[0].filters[0].rewrite.replacePrefixMatch: cannot be used without a match on path prefix"));
  EXPECT_THAT(filters("{rewrite: {replacePrefixMatch: /b}}", "path: {match: PREFIX, value: /a}"), IsEmpty());
}

TEST(MeshGatewayRoute, Refuses_backends) {
  EXPECT_THAT(rule("matches: [{method: GET}]"), ElementsAre("conf.http.rules[0].backends: cannot be empty"));
  EXPECT_THAT(rule("matches: [{method: GET}], backends: [{}, {destination: {kuma.io/service: a b}}]"),
              ElementsAre("conf.http.rules[0].backends[0]: must have at least one tag",
                          "conf.http.rules[0].backends[0]: mandatory tag \"kuma.io/service\" is missing",
                          "conf.http.rules[0].backends[1][\"kuma.io/service\"]: tag value must consist of alphanumeric characters, dots, dashes, "
                          "slashes and underscores or be \"*\""));
}

}  // namespace
}  // namespace kuma::model
