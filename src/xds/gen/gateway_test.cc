#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "security/certificate.h"
#include "security/key.h"
#include "xds/gen/testing.h"

namespace kuma::xds {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class GatewayTest : public ::testing::Test {
 protected:
  GatewayTest() {
    rig.put(
        "{type: Mesh, name: default}\n---\n"
        "{type: Dataplane, mesh: default, name: edge-1, networking: {address: 10.0.0.1, gateway: {type: BUILTIN, tags: "
        "{kuma.io/service: edge}}}}");
  }
  void listeners(const std::string& list) {
    rig.put("{type: MeshGateway, mesh: default, name: edge, selectors: [{match: {kuma.io/service: edge}}], conf: {listeners: [" + list +
            "]}}");
  }
  void http_route(const std::string& name, const std::string& conf) {
    rig.put("{type: MeshGatewayRoute, mesh: default, name: " + name + ", selectors: [{match: {kuma.io/service: edge}}], conf: {http: {" +
            conf + "}}}");
  }
  void secret(const std::string& name, const std::string& text) {
    rig.put("{type: Secret, mesh: default, name: " + name + ", data: " + base64_encode(text) + "}");
  }
  std::string certificate(const security::PrivateKey& key) {
    const security::CertificateSpec spec{.common_name = "shop", .names = {security::host_name("shop.example")}};
    return *security::build_certificate(spec, key) + key.to_pem();
  }
  std::string resource(std::string_view kind, std::string_view name) {
    json::object config = rig.config("edge-1");
    const json::object& all = config.at(kind).get_object();
    return all.contains(name) ? to_json(all.at(name)) : "none";
  }
  // The name of the one cluster of a service.
  std::string cluster_of(const std::string& service) {
    json::object config = rig.config("edge-1");
    for (const auto& cluster : config.at("clusters").get_object()) {
      if (std::string_view(cluster.key()).starts_with(service + "-")) {
        return std::string(cluster.key());
      }
    }
    return "none";
  }
  std::vector<std::string> problems() {
    std::vector<std::string> lines;
    auto generation = rig.generate("edge-1");
    for (const Problem& problem : generation->problems) {
      lines.push_back(problem.policy.name + ": " + problem.message);
    }
    return lines;
  }
  std::vector<std::string> certificates() {
    std::vector<std::string> names;
    auto generation = rig.generate("edge-1");
    for (const GeneratedResource& resource : generation->resources[static_cast<size_t>(XdsType::Secret)]) {
      names.push_back(resource.wire->name);
    }
    return names;
  }

  static constexpr char kHttps[] =
      "{port: 443, protocol: HTTPS, hostname: shop.example, tls: {mode: TERMINATE, certificates: [{secret: shop}]}}";
  testing::Rig rig;
};

TEST_F(GatewayTest, A_missing_certificate_leaves_out_its_host_and_says_so) {
  listeners(std::string(kHttps) + ", {port: 80, protocol: HTTP}");
  EXPECT_EQ(resource("listeners", "edge:HTTPS:443"), "none");
  EXPECT_NE(resource("listeners", "edge:HTTP:80"), "none");
  EXPECT_THAT(problems(), ElementsAre("edge: the host \"shop.example\" of port 443 is left out: the certificate of secret \"shop\": "
                                      "there is no such secret in the mesh"));
  auto generation = rig.generate("edge-1");
  EXPECT_THAT(generation->data_secrets, ElementsAre("shop")) << "it is looked at again when the secret comes";
}

TEST_F(GatewayTest, A_certificate_in_any_order_is_a_secret_of_its_own) {
  auto key = security::PrivateKey::generate_ec();
  const std::string pem = certificate(*key);
  secret("shop", key->to_pem() + pem.substr(0, pem.find("-----BEGIN EC")));
  listeners(kHttps);
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_THAT(certificates(), ElementsAre("cert.ecdsa:secret:shop"));
  EXPECT_THAT(resource("listeners", "edge:HTTPS:443"), AllOf(HasSubstr("cert.ecdsa:secret:shop"), HasSubstr("shop.example")));
}

TEST_F(GatewayTest, Secrets_that_hold_no_certificate_are_refused_one_by_one) {
  auto key = security::PrivateKey::generate_ec();
  const std::string pem = certificate(*key);
  const std::pair<std::string, std::string> kWrong[] = {
      {"x", "missing server certificate"},
      {pem.substr(0, pem.find("-----BEGIN EC")), "missing private key"},
      {pem + key->to_pem(), "secret contains multiple private keys"},
      {pem + "-----BEGIN X-----\n-----END X-----\n", "unsupported PEM block \"X\""},
      {"-----BEGIN CERTIFICATE-----\n", "a PEM block \"CERTIFICATE\" has no end"}};
  listeners(kHttps);
  for (const auto& [text, reason] : kWrong) {
    secret("shop", text);
    EXPECT_THAT(problems(), ElementsAre(HasSubstr(reason)));
    EXPECT_THAT(certificates(), IsEmpty());
  }
}

TEST_F(GatewayTest, A_cross_mesh_listener_needs_mTLS) {
  listeners("{port: 80, protocol: HTTP, crossMesh: true}");
  EXPECT_THAT(problems(), ElementsAre("edge: port 80 is left out: mTLS must be enabled for crossMesh-enabled MeshGateways"));
  EXPECT_EQ(resource("listeners", "edge:HTTP:80"), "none");
}

TEST_F(GatewayTest, A_route_to_nobody_answers_with_an_error_instead_of_stopping_the_gateway) {
  listeners("{port: 80, protocol: HTTP}");
  http_route("r", "rules: [{matches: [{path: {match: EXACT, value: /a}}], backends: [{destination: {kuma.io/service: "
                  "kuma.io/unresolved-backend}}]}, {matches: [{path: {match: EXACT, value: /b}}], backends: [{weight: 0, destination: "
                  "{kuma.io/service: b}}, {weight: 0, destination: {kuma.io/service: c}}]}]");
  EXPECT_THAT(resource("routes", "edge:HTTP:80"),
              AllOf(HasSubstr(R"({"match":{"path":"/a"},"directResponse":{"status":500}})"),
                    HasSubstr(R"({"match":{"path":"/b"},"directResponse":{"status":500}})")));
}

TEST_F(GatewayTest, A_prefix_with_an_exact_route_of_its_own_has_no_twin) {
  listeners("{port: 80, protocol: HTTP}");
  http_route("r", "rules: [{matches: [{path: {match: EXACT, value: /a}}], backends: [{weight: 1, destination: {kuma.io/service: x}}]}, "
                  "{matches: [{path: {match: PREFIX, value: /a/}}], backends: [{weight: 1, destination: {kuma.io/service: y}}]}]");
  const std::string routes = resource("routes", "edge:HTTP:80");
  EXPECT_THAT(routes, AllOf(HasSubstr(R"("path":"/a")"), HasSubstr(R"("prefix":"/a/")")));
  EXPECT_EQ(routes.find(R"("path":"/a")"), routes.rfind(R"("path":"/a")"));
}

TEST_F(GatewayTest, The_same_service_behind_two_listeners_has_two_clusters) {
  listeners("{port: 80, protocol: HTTP, tags: {port: a}}, {port: 81, protocol: HTTP, tags: {port: b}}");
  http_route("r", "rules: [{matches: [{path: {match: PREFIX, value: /}}], backends: [{weight: 1, destination: {kuma.io/service: x}}]}]");
  size_t clusters = 0;
  json::object config = rig.config("edge-1");
  for (const auto& cluster : config.at("clusters").get_object()) {
    clusters += std::string_view(cluster.key()).starts_with("x-") ? 1 : 0;
  }
  EXPECT_EQ(clusters, 2U);
  EXPECT_THAT(*rig.generate("edge-1")->services, ::testing::Contains("x"));
}

TEST_F(GatewayTest, A_service_outside_of_the_mesh_is_reached_directly_and_gets_no_tags) {
  listeners("{port: 80, protocol: HTTP}");
  http_route("r", "rules: [{matches: [{path: {match: EXACT, value: /a}}], backends: [{weight: 1, destination: {kuma.io/service: out, "
                  "version: v1}}]}, {matches: [{path: {match: EXACT, value: /b}}], backends: [{weight: 1, destination: "
                  "{kuma.io/service: in}}]}]");
  rig.put(
      "{type: ExternalService, mesh: default, name: o1, tags: {kuma.io/service: out, version: v1}, networking: {address: "
      "'one.example:80'}}\n---\n"
      "{type: ExternalService, mesh: default, name: o2, tags: {kuma.io/service: out, version: v2}, networking: {address: "
      "'two.example:80'}}");
  auto config = rig.config("edge-1");
  const std::string name = cluster_of("out");
  const std::string cluster = to_json(config.at("clusters").at(name));
  EXPECT_THAT(cluster, AllOf(HasSubstr("STRICT_DNS"), HasSubstr("one.example"), Not(HasSubstr("two.example")),
                             HasSubstr(R"("perConnectionBufferLimitBytes":32768)")));
  EXPECT_FALSE(config.at("endpoints").get_object().contains(name));
  const std::string routes = to_json(config.at("routes"));
  EXPECT_EQ(routes.find("&kuma.io/service=edge&"), routes.rfind("&kuma.io/service=edge&")) << "to the service inside only";
}

TEST_F(GatewayTest, An_external_service_whose_certificate_is_missing_is_a_cluster_without_addresses_and_says_why) {
  listeners("{port: 80, protocol: HTTP}");
  http_route("r", "rules: [{matches: [{path: {match: PREFIX, value: /}}], backends: [{weight: 1, destination: {kuma.io/service: out}}]}]");
  rig.put("{type: ExternalService, mesh: default, name: o1, tags: {kuma.io/service: out}, networking: {address: 'one.example:443', tls: "
          "{enabled: true, caCert: {secret: none}}}}");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("o1: one.example:443 is left out")));
  EXPECT_THAT(resource("clusters", cluster_of("out")), Not(HasSubstr("one.example")));
  EXPECT_THAT(rig.generate("edge-1")->data_secrets, ElementsAre("none"));
}

// Policies with selectors.

TEST_F(GatewayTest, Policies_are_chosen_by_the_listeners_tags_and_all_tags_of_the_destination) {
  listeners("{port: 80, protocol: HTTP, tags: {port: http}}, {port: 81, protocol: HTTP, tags: {port: other}}");
  http_route("r", "rules: [{matches: [{path: {match: EXACT, value: /a}}], backends: [{weight: 1, destination: {kuma.io/service: b, "
                  "version: v1}}]}, {matches: [{path: {match: EXACT, value: /b}}], backends: [{weight: 1, destination: "
                  "{kuma.io/service: b}}]}]");
  auto limit = [&](int requests, const std::string& source, const std::string& destination) {
    rig.put(fmt::format("{{type: RateLimit, mesh: default, name: l{}, sources: [{{match: {{{}}}}}], destinations: [{{match: {{{}}}}}], "
                        "conf: {{http: {{requests: {}, interval: 1s}}}}}}",
                        requests, source, destination, requests));
  };
  limit(11, "kuma.io/service: edge, port: http", "kuma.io/service: b, version: v1");
  const std::string routes = resource("routes", "edge:HTTP:80");
  EXPECT_EQ(routes.find("\"maxTokens\":11"), routes.rfind("\"maxTokens\":11")) << "for one of the two routes";
  EXPECT_LT(routes.find("\"maxTokens\":11"), routes.find("\"path\":\"/b\""));
  EXPECT_THAT(resource("routes", "edge:HTTP:81"), Not(HasSubstr("maxTokens")));

  limit(12, "kuma.io/service: edge", "kuma.io/service: b");
  EXPECT_THAT(resource("routes", "edge:HTTP:81"), HasSubstr("\"maxTokens\":12"));
  EXPECT_THAT(resource("routes", "edge:HTTP:80"), AllOf(HasSubstr("\"maxTokens\":11"), HasSubstr("\"maxTokens\":12")))
      << "the more specific one wins where both match";
}

TEST_F(GatewayTest, A_route_to_several_destinations_takes_the_policy_for_all_services_first_then_the_oldest) {
  listeners("{port: 80, protocol: HTTP}");
  http_route("r", "rules: [{matches: [{path: {match: PREFIX, value: /}}], backends: [{weight: 1, destination: {kuma.io/service: a}}, {weight: 1, destination: {kuma.io/service: b}}]}]");
  auto timeout = [&](const std::string& service, int seconds) {
    rig.put(fmt::format("{{type: Timeout, mesh: default, name: t-{}, sources: [{{match: {{kuma.io/service: edge}}}}], destinations: "
                        "[{{match: {{kuma.io/service: '{}'}}}}], conf: {{http: {{requestTimeout: {}s}}}}}}",
                        service == "*" ? "all" : service, service, seconds));
  };
  timeout("b", 3);
  EXPECT_THAT(resource("routes", "edge:HTTP:80"), HasSubstr(R"("timeout":"15s")")) << "the default one is for all services";
  timeout("a", 4);
  EXPECT_THAT(resource("routes", "edge:HTTP:80"), HasSubstr(R"("timeout":"3s")"));
}

TEST_F(GatewayTest, A_health_check_is_of_the_cluster_and_faults_are_nobodys) {
  listeners("{port: 80, protocol: HTTP}");
  http_route("r", "rules: [{matches: [{path: {match: PREFIX, value: /}}], backends: [{weight: 1, destination: {kuma.io/service: a, kuma.io/protocol: http2}}]}]");
  rig.put("{type: HealthCheck, mesh: default, name: h, sources: [{match: {kuma.io/service: edge}}], destinations: [{match: "
          "{kuma.io/service: a}}], conf: {interval: 5s, timeout: 1s, unhealthyThreshold: 3, healthyThreshold: 2, http: {path: /up}}}");
  rig.put("{type: FaultInjection, mesh: default, name: f, sources: [{match: {kuma.io/service: edge}}], destinations: [{match: "
          "{kuma.io/service: a, kuma.io/protocol: http2}}], conf: {abort: {httpStatus: 500, percentage: 50}}}");
  EXPECT_THAT(resource("clusters", cluster_of("a")), AllOf(HasSubstr(R"("path":"/up")"), HasSubstr(R"("codecClientType":"HTTP2")")));
  EXPECT_THAT(to_json(rig.config("edge-1")), Not(HasSubstr("envoy.filters.http.fault")));
}

TEST_F(GatewayTest, A_policy_whose_source_is_a_listener_concerns_the_gateway) {
  listeners("{port: 80, protocol: HTTP, tags: {port: http}}");
  http_route("r", "rules: [{matches: [{path: {match: PREFIX, value: /}}], backends: [{weight: 1, destination: {kuma.io/service: a}}]}]");
  auto last = rig.generate("edge-1");
  const auto updates = rig.put(
      "{type: Timeout, mesh: default, name: t, sources: [{match: {kuma.io/service: edge, port: http}}], destinations: [{match: "
      "{kuma.io/service: a}}], conf: {http: {requestTimeout: 3s}}}");
  ASSERT_EQ(updates.size(), 1U);
  EXPECT_TRUE(concerns(updates[0].change, *updates[0].view, {"default", "edge-1"}, &*last));
  EXPECT_THAT(resource("routes", "edge:HTTP:80"), HasSubstr(R"("timeout":"3s")"));
}

TEST_F(GatewayTest, Sharing_pieces_changes_no_byte) {
  listeners("{port: 80, protocol: HTTP, resources: {connectionLimit: 3}}");
  for (const char* service : {"x", "y"}) {
    http_route("r", std::string("rules: [{matches: [{path: {match: PREFIX, value: /}}], backends: [{weight: 1, destination: "
                                "{kuma.io/service: ") +
                        service + "}}]}]");
    auto shared = rig.generate(testing::Rig::input("edge-1"), true), alone = rig.generate(testing::Rig::input("edge-1"), false);
    for (size_t type = 0; type < kXdsTypeCount; ++type) {
      ASSERT_EQ(shared->resources[type].size(), alone->resources[type].size());
      for (size_t i = 0; i < shared->resources[type].size(); ++i) {
        EXPECT_EQ(shared->resources[type][i].wire->version, alone->resources[type][i].wire->version);
      }
    }
  }
}

}  // namespace
}  // namespace kuma::xds
