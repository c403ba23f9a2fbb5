#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "api/testing.h"

namespace kuma::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Answer;
using testing::ApiHarness;

class Plan : public ::testing::Test, public ApiHarness {
 protected:
  Plan() {
    stored(R"({"type": "Mesh", "name": "m"})");
    stored(R"({"type": "Mesh", "name": "other"})");
    stored(R"({"type": "Dataplane", "mesh": "m", "name": "web-1", "networking": {"address": "10.0.0.1",
        "inbound": [{"port": 80, "tags": {"kuma.io/service": "web"}}]}})");
    stored(R"({"type": "MeshTimeout", "mesh": "m", "name": "old", "spec": {"targetRef": {"kind": "Mesh"},
        "to": [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "1s"}}]}})");
  }

  Answer plan(std::string body, std::string mesh = "m") {
    return call({.method = "POST", .target = "/meshes/" + mesh + "/_plan", .body = std::move(body)});
  }
  void expect_refused(const std::string& body, int status, const std::string& why) {
    const Answer answer = plan(body);
    EXPECT_EQ(answer.status, status) << body;
    EXPECT_THAT(answer.body, HasSubstr(why)) << body;
  }
};

TEST_F(Plan, Refuses_what_is_no_list_of_resources_of_the_mesh) {
  expect_refused("{", 400, "line 1");
  expect_refused("{}", 400, "a plan is for 1 to 1000 resources, under items (to be applied) and delete; got 0");
  expect_refused(R"({"items": 1})", 400, "items has to be a list of resources");
  expect_refused(R"({"type": "MeshNothing"})", 400, "there is no resource type \\\"MeshNothing\\\"");
  expect_refused(R"({"type": "Dataplane", "mesh": "other", "name": "d"})", 400,
                 "Dataplane \\\"d\\\" is not of the mesh \\\"m\\\": a plan is for one mesh and the resources in it");
  expect_refused(R"({"type": "Zone", "name": "z"})", 400, "is not of the mesh");
  expect_refused(R"({"delete": [{"type": "MeshTimeout", "mesh": "m", "name": "none"}]})", 400, "can't be deleted");
  EXPECT_EQ(plan(R"({"type": "Mesh", "name": "none"})", "none").status, 404);
}

TEST_F(Plan, Refuses_a_resource_that_is_not_valid_as_a_write_would) {
  expect_refused(R"({"type": "Dataplane", "mesh": "m", "name": "d", "networking": {}})", 400, "networking.address");
  expect_refused(R"({"type": "MeshTimeout", "mesh": "m", "name": "Not A Name", "spec": {}})", 400, "name");
}

TEST_F(Plan, Tells_what_would_change_and_stores_nothing) {
  const Answer answer = plan(R"([{"type": "Dataplane", "mesh": "m", "name": "web-2", "networking": {"address": "10.0.0.2",
      "inbound": [{"port": 80, "tags": {"kuma.io/service": "web"}}]}}])");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json::value body = parse_json(answer.body).value();
  EXPECT_EQ(*find(body, "dataplanes"), parse_json(R"({"changed": 1, "unchanged": 1, "names": ["web-2"]})").value());
  EXPECT_EQ(get("/meshes/m/dataplanes/web-2").status, 404);
}

TEST_F(Plan, Tells_what_the_zones_own_proxies_would_get) {
  stored(R"({"type": "ZoneEgress", "name": "out", "networking": {"address": "10.0.0.8", "port": 10002}})");
  stored(R"({"type": "ZoneEgress", "name": "theirs", "zone": "west", "networking": {"address": "10.0.0.8", "port": 10002}})");
  stored(R"({"type": "Mesh", "name": "e", "mtls": {"enabledBackend": "ca", "backends": [{"name": "ca", "type": "builtin"}]}, "routing": {"zoneEgress": true}})");
  for (const char* kind : {"cert", "key"}) {
    stored(fmt::format(R"({{"type": "Secret", "mesh": "e", "name": "e.ca-builtin-{}-ca", "data": "eA=="}})", kind));
  }
  stored(R"({"type": "TrafficRoute", "mesh": "e", "name": "all", "sources": [{"match": {"kuma.io/service": "*"}}],
      "destinations": [{"match": {"kuma.io/service": "*"}}], "conf": {"destination": {"kuma.io/service": "*"}}})");
  const auto planned = [&](const std::string& networking) {
    const Answer answer = plan(R"({"type": "ExternalService", "mesh": "e", "name": "bank", "tags": {"kuma.io/service": "bank"}, "networking": )" + networking + "}", "e");
    EXPECT_EQ(answer.status, 200) << answer.body;
    return parse_json(answer.body).value();
  };
  const json::value body = planned(R"({"address": "bank.example:443"})");
  EXPECT_EQ(to_json(*find(body, "zoneProxies")),
            R"([{"type":"ZoneEgress","name":"out","differences":[{"kind":"cluster","name":"e:bank","action":"added"},)"
            R"({"kind":"listener","name":"inbound:10.0.0.8:10002","action":"added"}],"differencesLeftOut":0}])");
  EXPECT_THAT(to_json(planned(R"({"address": "bank.example:443", "tls": {"enabled": true, "caCert": {"secret": "none"}}})")),
              HasSubstr(R"(ExternalService \"bank\" would be left out for the ZoneEgress \"out\")"));
  EXPECT_EQ(find(parse_json(plan(R"({"type": "MeshTimeout", "mesh": "m", "name": "new", "spec": {"targetRef": {"kind": "Mesh"},
      "to": [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "2s"}}]}})").body).value(), "zoneProxies"), nullptr)
      << "which no zone proxy looks at";
}

TEST_F(Plan, Says_that_dataplanes_of_other_meshes_may_be_concerned) {
  stored(R"({"type": "Dataplane", "mesh": "m", "name": "edge-1", "networking": {"address": "10.0.0.9",
             "gateway": {"type": "BUILTIN", "tags": {"kuma.io/service": "edge"}}}})");
  const auto gateway = [&](const char* cross_mesh) {
    return plan(fmt::format(R"({{"type": "MeshGateway", "mesh": "m", "name": "edge", "selectors": [{{"match": {{"kuma.io/service": "edge"}}}}],
        "conf": {{"listeners": [{{"port": 80, "protocol": "HTTP", "hostname": "edge.mesh", "crossMesh": {}}}]}}}})", cross_mesh)).body;
  };
  EXPECT_THAT(gateway("true"), HasSubstr("dataplanes of the other meshes (other) reach cross-mesh listeners"));
  EXPECT_THAT(gateway("false"), Not(HasSubstr("other meshes")));
}

TEST_F(Plan, Takes_deletions) {
  const Answer answer = plan(R"({"delete": [{"type": "Dataplane", "mesh": "m", "name": "web-1"}]})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr("\"action\": \"removed\""));
  EXPECT_EQ(get("/meshes/m/dataplanes/web-1").status, 200);
}

TEST_F(Plan, Lets_nobody_plan_with_secrets_who_may_not_write_them) {
  const Answer answer = call({.method = "POST",
                              .target = "/meshes/m/_plan",
                              .body = R"({"type": "Secret", "mesh": "m", "name": "s", "data": "dGVzdA=="})",
                              .from = "10.1.1.1"});
  EXPECT_EQ(answer.status, 403) << answer.body;
}

TEST_F(Plan, Explains_a_dataplane_to_whoever_names_a_service) {
  EXPECT_EQ(get("/meshes/m/dataplanes/web-1/_explain").status, 400);
  EXPECT_EQ(get("/meshes/none/dataplanes/web-1/_explain?to=web").status, 404);
  EXPECT_EQ(get("/meshes/m/dataplanes/none/_explain?to=web").status, 404);
  const Answer answer = get("/meshes/m/dataplanes/web-1/_explain?to=web");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(find(parse_json(answer.body).value(), "service")->get_string(), "web");
}

}  // namespace
}  // namespace kuma::api
