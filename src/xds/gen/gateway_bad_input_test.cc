#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "security/certificate.h"
#include "security/key.h"
#include "xds/gen/testing.h"

// What users can do wrong with a gateway, and what older control planes may have stored that validation refuses now: the least
// possible is left out, with a reason, and the rest goes on.

namespace kuma::xds {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class GatewayBadInputTest : public ::testing::Test {
 protected:
  GatewayBadInputTest() {
    rig.put(
        "{type: Mesh, name: default}\n---\n"
        "{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.2, inbound: [{port: 80, tags: {kuma.io/service: "
        "web}}]}}\n---\n"
        "{type: Dataplane, mesh: default, name: edge-1, networking: {address: 10.0.0.1, gateway: {type: BUILTIN, tags: "
        "{kuma.io/service: edge}}}}");
  }

  void unchecked(std::string_view type, const std::string& name, const std::string& conf) {
    rig.builder.apply(
        rig.store.put_unchecked(type, {"default", name}, "{selectors: [{match: {kuma.io/service: edge}}], conf: " + conf + "}"));
  }
  void listeners(const std::string& list) { unchecked("MeshGateway", "edge", "{listeners: [" + list + "]}"); }
  // A rule for /good, which has to stay, and others.
  void rules(const std::string& others) {
    unchecked("MeshGatewayRoute", "r", "{http: {rules: [" + std::string(kGood) + ", " + others + "]}}");
  }
  static std::string match(const std::string& members) { return "{matches: [{" + members + "}], " + kBackends + "}"; }

  std::vector<std::string> problems() {
    std::vector<std::string> lines;
    const auto generation = rig.generate("edge-1");
    for (const Problem& problem : generation->problems) {
      lines.push_back(problem.policy.name + ": " + problem.message);
    }
    return lines;
  }
  std::string resource(std::string_view kind, std::string_view name) {
    const json::object config = rig.config("edge-1");
    const json::object& all = config.at(kind).get_object();
    return all.contains(name) ? to_json(all.at(name)) : "none";
  }
  std::string routes() { return resource("routes", "edge:HTTP:80"); }
  void secret(const std::string& text) {
    rig.put("{type: Secret, mesh: default, name: shop, data: " + base64_encode(text) + "}");
  }
  static std::string certificate_of(const security::PrivateKey& key) {
    return *security::build_certificate({.common_name = "shop", .names = {security::host_name("shop.example")}}, key);
  }

  static constexpr char kBackends[] = "backends: [{weight: 1, destination: {kuma.io/service: web}}]";
  static constexpr char kGood[] =
      "{matches: [{path: {match: EXACT, value: /good}}], backends: [{weight: 1, destination: {kuma.io/service: web}}]}";
  static constexpr char kHttp[] = "{port: 80, protocol: HTTP}";
  static constexpr char kHttps[] =
      "{port: 443, protocol: HTTPS, hostname: shop.example, tls: {mode: TERMINATE, certificates: [{secret: shop}]}}";
  std::map<std::string, std::string> files;  // of the control plane's host
  testing::Rig rig{{.zone = "",
                    .read_file = [this](const std::string& path) -> absl::StatusOr<std::string> {
                      return files.contains(path) ? absl::StatusOr<std::string>(files.at(path)) : absl::NotFoundError("no such file");
                    },
                    .vip_naming = {},
                    .auto_reachable = false}};
};

TEST_F(GatewayBadInputTest, Of_listeners_of_one_port_that_contradict_each_other_the_first_counts) {
  listeners("{port: 80, protocol: HTTP, hostname: a.example}, {port: 80, protocol: TCP, hostname: b.example}, {port: 80, protocol: HTTP, "
            "hostname: a.example}, {port: 81, protocol: TCP}");
  EXPECT_THAT(problems(), ElementsAre("edge: the listener \"b.example\" of port 80 is left out: it is TCP, others of the port are HTTP",
                                      "edge: a listener \"a.example\" of port 80 is left out: there is another one for the host"));
  EXPECT_THAT(routes(), AllOf(HasSubstr("a.example"), Not(HasSubstr("b.example"))));
  EXPECT_NE(resource("listeners", "edge:TCP:81"), "none");
}

TEST_F(GatewayBadInputTest, An_expression_that_Envoy_can_not_read_leaves_out_its_route) {
  listeners(kHttp);
  rules(match("path: {match: REGEX, value: '/('}") + ", " +
        match("path: {match: EXACT, value: /h}, headers: [{match: REGEX, name: a, value: '['}]") + ", " +
        match("path: {match: EXACT, value: /q}, queryParameters: [{match: REGEX, name: a, value: '*'}]"));
  EXPECT_THAT(problems(),
              ElementsAre("r: the route for \"/(\" is left out: the path's expression: error parsing regexp: missing closing ): `/(`",
                          "r: the route for \"/h\" is left out: a header's expression: error parsing regexp: missing closing ]: `[`",
                          "r: the route for \"/q\" is left out: a query parameter's expression: error parsing regexp: missing argument to "
                          "repetition operator: `*`"));
  EXPECT_THAT(routes(), AllOf(HasSubstr("/good"), Not(HasSubstr("\"/h\"")), Not(HasSubstr("\"/q\"")), Not(HasSubstr("safeRegex"))));
}

TEST_F(GatewayBadInputTest, Headers_that_are_none_leave_out_their_route) {
  listeners(kHttp);
  rules(match("path: {match: EXACT, value: /1}, headers: [{name: 'a b', value: x}]") +
        ", {matches: [{path: {match: EXACT, value: /2}}], filters: [{responseHeader: {set: [{name: '', value: x}]}}], " + kBackends +
        "}, {matches: [{path: {match: EXACT, value: /3}}], filters: [{requestHeader: {add: [{name: a, value: \"x\\ny\"}]}}], " +
        kBackends + "}");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("\"/1\" is left out: the header \"a b\" must be the name of a header"),
                                      HasSubstr("\"/2\" is left out: the header \"\" must be the name of a header"),
                                      HasSubstr("\"/3\" is left out: the value of the header \"a\" must not have line breaks")));
  EXPECT_THAT(routes(), AllOf(HasSubstr("/good"), Not(HasSubstr("\"/1\"")), Not(HasSubstr("\"/2\"")), Not(HasSubstr("\"/3\""))));
}

TEST_F(GatewayBadInputTest, A_redirect_with_a_status_that_Envoy_has_not_is_left_out) {
  listeners(kHttp);
  rules("{matches: [{path: {match: PREFIX, value: /away}}], filters: [{redirect: {statusCode: 304}}]}");
  EXPECT_THAT(problems(), ElementsAre("r: the route for \"/away/\" is left out: redirect status code 304 is not supported",
                                      "r: the route for \"/away\" is left out: redirect status code 304 is not supported"));
  EXPECT_THAT(routes(), AllOf(HasSubstr("/good"), Not(HasSubstr("/away"))));
}

TEST_F(GatewayBadInputTest, A_listener_for_other_meshes_speaks_HTTP_whatever_it_says) {
  rig.put("{type: Mesh, name: default, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}");
  listeners("{port: 80, protocol: TCP, crossMesh: true}");
  rules(match("path: {match: EXACT, value: /a}"));
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_THAT(resource("listeners", "edge:TCP:80"), HasSubstr("http_connection_manager"));
  EXPECT_THAT(resource("routes", "edge:TCP:80"), HasSubstr("/good"));
}

TEST_F(GatewayBadInputTest, A_name_that_no_host_has_is_left_out) {
  listeners(kHttp);
  unchecked("MeshGatewayRoute", "r",
            "{http: {hostnames: ['foo.*', good.example, '*.wild.example', 'a b'], rules: [" + std::string(kGood) + "]}}");
  EXPECT_THAT(problems(), ElementsAre("r: the host \"foo.*\" is left out: it is no name of a host",
                                      "r: the host \"a b\" is left out: it is no name of a host"));
  EXPECT_THAT(routes(), AllOf(HasSubstr("good.example"), HasSubstr("*.wild.example"), Not(HasSubstr("foo.*"))));
}

TEST_F(GatewayBadInputTest, A_route_to_nobody_says_so_until_somebody_comes) {
  listeners(kHttp);
  rules("{matches: [{path: {match: EXACT, value: /a}}], backends: [{weight: 1, destination: {kuma.io/service: soon}}, {weight: 1, "
        "destination: {kuma.io/service: kuma.io/unresolved-backend}}]}");
  EXPECT_THAT(problems(), ElementsAre("r: nobody offers the service \"soon\": its requests are answered with 503",
                                      "r: a backend is not known: its requests are answered with 500"));
  EXPECT_THAT(routes(), HasSubstr("soon-"));
  rig.put("{type: Dataplane, mesh: default, name: soon-1, networking: {address: 10.0.0.3, inbound: [{port: 80, tags: {kuma.io/service: "
          "soon}}]}}");
  EXPECT_THAT(problems(), ElementsAre("r: a backend is not known: its requests are answered with 500"));
}

// Certificates.

TEST_F(GatewayBadInputTest, HTTPS_without_certificates_is_left_out) {
  listeners("{port: 443, protocol: HTTPS, hostname: shop.example}, " + std::string(kHttp));
  EXPECT_THAT(problems(), ElementsAre("edge: the host \"shop.example\" of port 443 is left out: HTTPS needs certificates and the mode "
                                      "TERMINATE"));
  EXPECT_EQ(resource("listeners", "edge:HTTPS:443"), "none");
  EXPECT_NE(resource("listeners", "edge:HTTP:80"), "none");
}

TEST_F(GatewayBadInputTest, A_key_of_another_certificate_and_one_that_Envoy_does_not_take_are_told) {
  listeners(kHttps);
  auto key = security::PrivateKey::generate_ec(), other = security::PrivateKey::generate_ec();
  secret(certificate_of(*key) + other->to_pem());
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("secret \"shop\": the private key is not that of the first certificate")));
  auto small = security::PrivateKey::generate_rsa(1024);
  secret(certificate_of(*small) + small->to_pem());
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("Envoy takes RSA keys of at least 2048 bits and ECDSA keys on P-256")));
  EXPECT_EQ(resource("listeners", "edge:HTTPS:443"), "none");
  secret(certificate_of(*key) + key->to_pem());
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_NE(resource("listeners", "edge:HTTPS:443"), "none");
}

TEST_F(GatewayBadInputTest, A_certificate_may_lie_in_a_file_of_the_control_planes_host) {
  auto key = security::PrivateKey::generate_ec();
  const auto in_file = [&](const std::string& path) {
    listeners("{port: 443, protocol: HTTPS, hostname: shop.example, tls: {mode: TERMINATE, certificates: [{file: " + path + "}]}}");
  };
  in_file("/etc/shop.pem");
  EXPECT_THAT(problems(), ElementsAre("edge: the host \"shop.example\" of port 443 is left out: the certificate in the file /etc/shop.pem: the control "
                                      "plane can't read it: it has to be a regular file on its host, with an absolute path and none of its own keys"));
  files["/etc/empty.pem"] = "no pem";
  in_file("/etc/empty.pem");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("file /etc/empty.pem: missing server certificate")));
  files["/etc/other.pem"] = certificate_of(*key) + key->to_pem();
  in_file("/etc/other.pem");
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_THAT(resource("listeners", "edge:HTTPS:443"), HasSubstr("cert.ecdsa:file:/etc/other.pem"));
  EXPECT_FALSE(rig.builder.find("default")->secrets.contains("file:/etc/empty.pem")) << "what no gateway names is not held";
}

TEST_F(GatewayBadInputTest, A_certificate_given_inline_is_named_by_its_hosts) {
  auto key = security::PrivateKey::generate_ec();
  listeners("{port: 443, protocol: HTTPS, hostname: shop.example, tls: {mode: TERMINATE, certificates: [{inline: " +
            base64_encode(certificate_of(*key) + key->to_pem()) + "}]}}");
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_THAT(resource("listeners", "edge:HTTPS:443"), HasSubstr("cert.ecdsa:inline:shop.example"));
}

TEST_F(GatewayBadInputTest, The_same_certificate_twice_is_told) {
  auto key = security::PrivateKey::generate_ec();
  secret(certificate_of(*key) + key->to_pem());
  listeners("{port: 443, protocol: HTTPS, hostname: shop.example, tls: {mode: TERMINATE, certificates: [{secret: shop}, {secret: shop}]}}");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("duplicate TLS certificate \"cert.ecdsa:secret:shop\"")));
}

}  // namespace
}  // namespace kuma::xds
