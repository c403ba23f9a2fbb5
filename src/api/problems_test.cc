#include "api/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/policy.h"

namespace kuma::api {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Answer;
using testing::ApiHarness;

model::Registry real_types() {
  std::vector<model::ResourceType> types = model::core_types();
  for (model::ResourceType& type : policy::policy_types()) {
    types.push_back(std::move(type));
  }
  return model::Registry(std::move(types));
}

struct Problems : ::testing::Test, ApiHarness {
  Problems() : ApiHarness(real_types()) {
    stored(R"({"type": "Mesh", "name": "m"})");
    for (int i = 1; i <= 3; ++i) {
      stored(fmt::format(R"({{"type": "Dataplane", "mesh": "m", "name": "web-{}", "networking": {{"address": "10.0.0.{}",
          "inbound": [{{"port": 80, "tags": {{"kuma.io/service": "web"}}}}]}}}})", i, i));
    }
  }
  void log_of(std::string_view name, std::string_view service, std::string_view backend = "nowhere") {
    stored(fmt::format(R"({{"type": "TrafficTrace", "mesh": "m", "name": "{}",
        "selectors": [{{"match": {{"kuma.io/service": "{}"}}}}], "conf": {{"backend": "{}"}}}})", name, service, backend));
  }
  void authority(std::string_view mesh) {
    for (const char* kind : {"cert", "key"}) {
      stored(fmt::format(R"({{"type": "Secret", "mesh": "{0}", "name": "{0}.ca-builtin-{1}-ca", "data": "eA=="}})", mesh, kind));
    }
  }
  json::value body(const std::string& path) {
    const Answer answer = get(path);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return parse_json(answer.body).value();
  }
};

TEST_F(Problems, A_dataplane_without_any_says_so) {
  EXPECT_EQ(body("/meshes/m/dataplanes/web-1/_problems"), parse_json(R"({"total": 0, "items": []})").value());
}

TEST_F(Problems, Are_readable_on_the_dataplane_with_their_policy) {
  log_of("traces", "web");
  EXPECT_EQ(body("/meshes/m/dataplanes/web-1/_problems"),
            parse_json(R"({"total": 1, "items": [{"policy": {"type": "TrafficTrace", "name": "traces"},
                                                  "message": "conf.backend: the mesh has no backend \"nowhere\""}]})")
                .value());
}

TEST_F(Problems, Are_readable_on_the_policy_with_their_dataplanes) {
  log_of("traces", "web");
  EXPECT_EQ(body("/meshes/m/traffic-traces/traces/_problems"),
            parse_json(R"({"dataplanes": 3, "total": 1, "items": [{"message": "conf.backend: the mesh has no backend \"nowhere\"",
                "count": 3, "dataplanes": ["web-1", "web-2", "web-3"]}]})")
                .value());
}

TEST_F(Problems, A_policy_for_nobody_tells_that_it_selects_no_dataplane) {
  log_of("lonely", "missing");
  EXPECT_EQ(body("/meshes/m/traffic-traces/lonely/_problems"),
            parse_json(R"({"dataplanes": 0, "total": 0, "items": []})").value());
}

TEST_F(Problems, A_policy_for_what_is_not_there_is_taken_and_says_what_of_it_does_nothing) {
  stored(R"({"type": "MeshTimeout", "mesh": "m", "name": "lost", "spec": {"targetRef": {"kind": "MeshHTTPRoute", "name": "gone"},
      "to": [{"targetRef": {"kind": "Mesh"}, "default": {"http": {"requestTimeout": "1s"}}}]}})");
  EXPECT_EQ(body("/meshes/m/meshtimeouts/lost/_problems"),
            parse_json(R"({"dataplanes": 0, "total": 0, "items": [], "warnings": [
                "MeshTimeout \"lost\" targets MeshHTTPRoute \"gone\", which does not exist: it does nothing"]})").value());
  stored(R"({"type": "MeshRetry", "mesh": "m", "name": "typo", "spec": {"targetRef": {"kind": "Mesh"},
      "to": [{"targetRef": {"kind": "MeshService", "name": "wbe"}, "default": {"tcp": {"maxConnectAttempt": 2}}},
             {"targetRef": {"kind": "MeshService", "name": "web"}, "default": {"tcp": {"maxConnectAttempt": 2}}}]}})");
  EXPECT_EQ(body("/meshes/m/meshretries/typo/_problems"),
            parse_json(R"({"dataplanes": 3, "total": 0, "items": [], "warnings": [
                "to[0] of MeshRetry \"typo\" is for the service \"wbe\", which nothing offers"]})").value());
}

TEST_F(Problems, A_targetRef_policy_that_can_not_be_used_is_told_on_it_and_on_its_dataplanes) {
  stored(R"({"type": "MeshLoadBalancingStrategy", "mesh": "m", "name": "worse", "spec": {"targetRef": {"kind": "Mesh"}, "to": [
      {"targetRef": {"kind": "Mesh"}, "default": {"loadBalancer": {"type": "RingHash", "ringHash": {}}}}]}})");
  const std::string reason = "left out: spec.to[0].default.loadBalancer.ringHash.hashPolicies: must be defined";
  const json::value of_policy = body("/meshes/m/meshloadbalancingstrategies/worse/_problems");
  EXPECT_EQ(of_policy.at("dataplanes").as_int64(), 3);
  EXPECT_THAT(to_json(of_policy.at("items")), HasSubstr(reason));
  EXPECT_THAT(to_json(body("/meshes/m/dataplanes/web-1/_problems")), HasSubstr(reason));
}

TEST_F(Problems, Are_readable_on_zone_proxies) {
  stored(R"({"type": "ZoneIngress", "name": "in", "networking": {"address": "10.0.0.9", "port": 10001}})");
  EXPECT_THAT(to_json(body("/zoneingresses/in/_problems")), HasSubstr("other zones can't reach it: networking.advertisedAddress and"));
  stored(R"({"type": "Mesh", "name": "e", "mtls": {"enabledBackend": "ca", "backends": [{"name": "ca", "type": "builtin"}]},
      "routing": {"zoneEgress": true}})");
  stored(R"({"type": "ExternalService", "mesh": "e", "name": "bank", "tags": {"kuma.io/service": "bank"},
      "networking": {"address": "bank.example:443", "tls": {"enabled": true, "caCert": {"secret": "roots"}}}})");
  stored(R"({"type": "TrafficRoute", "mesh": "e", "name": "all", "sources": [{"match": {"kuma.io/service": "*"}}],
      "destinations": [{"match": {"kuma.io/service": "*"}}], "conf": {"destination": {"kuma.io/service": "*"}}})");
  stored(R"({"type": "ZoneEgress", "name": "out", "networking": {"address": "10.0.0.8", "port": 10002}})");
  EXPECT_THAT(to_json(body("/zoneegresses/out/_problems")), HasSubstr("external services of the mesh are left out: "));
  stored(R"({"type": "ZoneIngress", "name": "theirs", "zone": "west", "networking": {"address": "10.0.0.9", "port": 10001}})");
  EXPECT_EQ(get("/zoneingresses/theirs/_problems").status, 404) << "its own zone tells";
  for (const char* path : {"/zoneingresses/none/_problems", "/zoneegresses/none/_problems"}) {
    const Answer answer = get(path);
    EXPECT_EQ(answer.status, 404);
    EXPECT_THAT(answer.body, HasSubstr("\"none\\\""));
  }
}

TEST_F(Problems, At_an_egress_are_readable_on_the_policy_and_the_external_service_of_each_mesh) {
  for (const char* mesh : {"a", "b"}) {
    stored(fmt::format(R"({{"type": "Mesh", "name": "{}", "mtls": {{"enabledBackend": "ca", "backends": [{{"name": "ca",
        "type": "builtin"}}]}}, "routing": {{"zoneEgress": true}}}})", mesh));
    authority(mesh);
    stored(fmt::format(R"({{"type": "ExternalService", "mesh": "{}", "name": "bank", "tags": {{"kuma.io/service": "bank",
        "kuma.io/protocol": "http"}}, "networking": {{"address": "bank.example:443",
        "tls": {{"enabled": true, "caCert": {{"secret": "roots"}}}}}}}})", mesh));
    stored(fmt::format(R"({{"type": "TrafficRoute", "mesh": "{}", "name": "all", "sources": [{{"match": {{"kuma.io/service": "*"}}}}],
        "destinations": [{{"match": {{"kuma.io/service": "*"}}}}], "conf": {{"destination": {{"kuma.io/service": "*"}}}}}})", mesh));
    stored(fmt::format(R"({{"type": "MeshLoadBalancingStrategy", "mesh": "{}", "name": "worse", "spec": {{"targetRef": {{"kind": "Mesh"}},
        "to": [{{"targetRef": {{"kind": "Mesh"}}, "default": {{"loadBalancer": {{"type": "RingHash", "ringHash": {{}}}}}}}}]}}}})", mesh));
  }
  const std::string refusal = "left out: spec.to[0].default.loadBalancer.ringHash.hashPolicies: must be defined";
  const std::string no_secret = R"(bank.example:443 is left out: networking.tls.caCert: the mesh b has no secret \"roots\")";
  EXPECT_EQ(to_json(body("/meshes/b/external-services/bank/_problems")),
            fmt::format(R"({{"total":1,"items":[{{"message":"{}","count":0,"dataplanes":[]}}]}})", no_secret))
      << "known before anybody reaches it";
  stored(R"({"type": "ZoneEgress", "name": "out", "networking": {"address": "10.0.0.8", "port": 10002}})");
  stored(R"({"type": "ZoneEgress", "name": "theirs", "zone": "west", "networking": {"address": "10.0.0.8", "port": 10002}})");
  const json::value of_policy = body("/meshes/b/meshloadbalancingstrategies/worse/_problems");
  EXPECT_EQ(of_policy.at("total").to_number<int>(), 1);
  EXPECT_THAT(to_json(of_policy.at("items")), AllOf(HasSubstr(refusal), HasSubstr(R"("count":0,"dataplanes":[],"zoneEgresses":["out"])")));
  EXPECT_EQ(to_json(body("/meshes/b/external-services/bank/_problems")),
            fmt::format(R"({{"total":1,"items":[{{"message":"{}","count":0,"dataplanes":[],"zoneEgresses":["out"]}}]}})", no_secret));
  const std::string at_egress = to_json(body("/zoneegresses/out/_problems"));
  for (const char* mesh : {"a", "b"}) {
    EXPECT_THAT(at_egress, HasSubstr(fmt::format(R"({{"type":"MeshLoadBalancingStrategy","name":"worse","mesh":"{}"}})", mesh)))
        << "of equal names in two meshes both are told";
    EXPECT_THAT(at_egress, HasSubstr(fmt::format(R"({{"type":"ExternalService","name":"bank","mesh":"{}"}})", mesh)));
  }
}

TEST_F(Problems, A_bad_external_service_is_told_on_itself_and_on_the_dataplanes_that_reach_it) {
  stored(R"({"type": "ExternalService", "mesh": "m", "name": "bank", "tags": {"kuma.io/service": "bank"},
      "networking": {"address": "bank.example:443", "tls": {"enabled": true, "clientCert": {"inlineString": "x"}}}})");
  stored(R"({"type": "Dataplane", "mesh": "m", "name": "client", "networking": {"address": "10.0.0.7",
      "inbound": [{"port": 80, "tags": {"kuma.io/service": "client"}}], "outbound": [{"port": 9000, "tags": {"kuma.io/service": "bank"}}]}})");
  stored(R"({"type": "TrafficRoute", "mesh": "m", "name": "all", "sources": [{"match": {"kuma.io/service": "*"}}],
      "destinations": [{"match": {"kuma.io/service": "*"}}], "conf": {"destination": {"kuma.io/service": "*"}}})");
  const std::string reason = "bank.example:443 is left out: networking.tls has a clientCert but no clientKey: both are needed";
  EXPECT_EQ(to_json(body("/meshes/m/external-services/bank/_problems")),
            fmt::format(R"({{"total":1,"items":[{{"message":"{}","count":1,"dataplanes":["client"]}}]}})", reason));
  EXPECT_THAT(to_json(body("/meshes/m/dataplanes/client/_problems")), HasSubstr(reason));
  stored(R"({"type": "ExternalService", "mesh": "m", "name": "fine", "tags": {"kuma.io/service": "fine"},
      "networking": {"address": "fine.example:80"}})");
  EXPECT_EQ(to_json(body("/meshes/m/external-services/fine/_problems")), R"({"total":0,"items":[]})");
}

TEST_F(Problems, Of_a_gateways_routes_are_told_at_the_route_and_the_dataplane_whatever_listener_it_is_for) {
  stored(R"({"type": "Dataplane", "mesh": "m", "name": "edge-1", "networking": {"address": "10.0.0.9",
             "gateway": {"type": "BUILTIN", "tags": {"kuma.io/service": "edge"}}}})");
  stored(R"({"type": "MeshGateway", "mesh": "m", "name": "edge", "selectors": [{"match": {"kuma.io/service": "edge"}}],
             "conf": {"listeners": [{"port": 80, "protocol": "HTTP", "tags": {"port": "http"}}]}})");
  stored(R"({"type": "MeshGatewayRoute", "mesh": "m", "name": "lost",
             "selectors": [{"match": {"kuma.io/service": "edge", "port": "http"}}], "conf": {"http": {"rules": [{
               "matches": [{"path": {"match": "PREFIX", "value": "/"}}],
               "backends": [{"weight": 1, "destination": {"kuma.io/service": "gone"}}]}]}}})");
  EXPECT_EQ(body("/meshes/m/meshgatewayroutes/lost/_problems"),
            parse_json(R"({"dataplanes": 1, "total": 1, "items": [{"message":
                "nobody offers the service \"gone\": its requests are answered with 503", "count": 1, "dataplanes": ["edge-1"]}]})")
                .value());
  EXPECT_THAT(to_json(body("/meshes/m/dataplanes/edge-1/_problems")), HasSubstr("nobody offers the service"));
}

TEST_F(Problems, What_is_not_there_is_404_and_named) {
  for (const char* path : {"/meshes/none/dataplanes/web-1/_problems", "/meshes/m/dataplanes/none/_problems",
                           "/meshes/m/traffic-traces/none/_problems", "/meshes/m/external-services/none/_problems"}) {
    const Answer answer = get(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_THAT(answer.body, HasSubstr("Could not tell the problems")) << path;
  }
}

}  // namespace
}  // namespace kuma::api
