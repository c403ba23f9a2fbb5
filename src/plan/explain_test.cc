#include "plan/explain.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "xds/gen/testing.h"

namespace kuma::plan {
namespace {

class ExplainTest : public ::testing::Test {
 protected:
  ExplainTest() {
    rig.put("type: Mesh\nname: default\n---\n"
            "type: Dataplane\nmesh: default\nname: web-1\nnetworking:\n  address: 10.0.0.1\n  inbound: [{port: 80, tags: {kuma.io/service: "
            "web}}]\n  outbound: [{port: 10001, tags: {kuma.io/service: backend}}]\n---\n"
            "type: Dataplane\nmesh: default\nname: backend-1\nnetworking:\n  address: 10.0.0.2\n  inbound: [{port: 80, tags: {kuma.io/service: "
            "backend}}]\n");
  }

  void timeout(std::string_view name, std::string_view target, std::string_view service, std::string_view value) {
    rig.put(fmt::format("type: MeshTimeout\nmesh: default\nname: {}\nspec: {{targetRef: {{{}}}, to: [{{targetRef: {{kind: MeshService, name: {}}}, "
                        "default: {{connectionTimeout: {}}}}}]}}\n",
                        name, target, service, value));
  }

  json::object explained(const std::string& dataplane, std::string_view service) {
    auto result = explain(*rig.builder.find("default"), {"default", dataplane}, service);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : json::object();
  }

  static json::value of_type(const json::object& explained, std::string_view type) {
    for (const json::value& one : explained.at("policies").as_array()) {
      if (one.at("type").as_string() == type) {
        return one;
      }
    }
    return nullptr;
  }

  xds::testing::Rig rig;
};

TEST_F(ExplainTest, Refuses_a_dataplane_that_is_not_there) {
  auto result = explain(*rig.builder.find("default"), {"default", "nobody"}, "backend");
  EXPECT_TRUE(absl::IsNotFound(result.status()));
  EXPECT_EQ(std::string(result.status().message()), "the mesh \"default\" has no dataplane \"nobody\" with a usable address");
}

TEST_F(ExplainTest, Warns_of_a_service_that_nothing_offers) {
  EXPECT_EQ(explained("web-1", "ghost").at("warnings"), parse_json(R"(["nothing offers the service \"ghost\"",
      "the dataplane has no outbound to \"ghost\", so that nothing of this takes effect"])").value());
}

TEST_F(ExplainTest, Lists_names_and_virtual_addresses_that_lead_to_the_service) {
  rig.put("type: Dataplane\nmesh: default\nname: web-2\nnetworking:\n  address: 10.0.0.3\n  inbound: [{port: 80, tags: {kuma.io/service: "
          "web}}]\n  transparentProxying: {redirectPortInbound: 15006, redirectPortOutbound: 15001}\n  outbound: [{port: 10001, tags: "
          "{kuma.io/service: backend}}]\n");
  rig.put_vips("default", {"backend"});
  const std::string listed = to_json(explained("web-2", "backend").at("addresses"));
  EXPECT_THAT(listed, ::testing::MatchesRegex(R"(\["backend.mesh:80","240\.0\.0\.[0-9]+:80","127\.0\.0\.1:10001"\])"));
  EXPECT_EQ(to_json(explained("web-1", "backend").at("addresses")), R"(["127.0.0.1:10001"])") << "nothing redirects its connections";
}

TEST_F(ExplainTest, Names_the_winner_of_a_setting_the_losers_and_those_without_effect) {
  timeout("all", "kind: Mesh", "backend", "1s");
  timeout("web", "kind: MeshService, name: web", "backend", "2s");
  timeout("other-client", "kind: MeshService, name: backend", "backend", "3s");
  timeout("other-service", "kind: Mesh", "redis", "4s");
  json::object result = explained("web-1", "backend");
  EXPECT_EQ(result.at("addresses"), parse_json(R"(["127.0.0.1:10001"])").value());
  EXPECT_EQ(of_type(result, "MeshTimeout"), parse_json(R"({"type": "MeshTimeout", "settings": [
      {"setting": "connectionTimeout", "value": "2s", "policy": "web", "rule": "to[0]", "lost": [
        {"policy": "all", "rule": "to[0]", "value": "1s", "reason": "it targets a Mesh, \"web\" targets a MeshService, which is narrower"}]}],
      "without": [{"policy": "other-client", "reason": "its targetRef selects nothing of this dataplane"},
                  {"policy": "other-service", "reason": "no entry of its to is for \"backend\""}], "moreWithout": 0})").value());
}

TEST_F(ExplainTest, Says_which_policy_with_selectors_was_chosen_and_why_the_others_were_not) {
  rig.put("type: Timeout\nmesh: default\nname: narrow\nsources: [{match: {kuma.io/service: web}}]\ndestinations: [{match: {kuma.io/service: "
          "backend}}]\nconf: {connectTimeout: 1s}\n---\n"
          "type: Timeout\nmesh: default\nname: elsewhere\nsources: [{match: {kuma.io/service: backend}}]\ndestinations: [{match: "
          "{kuma.io/service: '*'}}]\nconf: {connectTimeout: 1s}\n---\n"
          "type: Timeout\nmesh: default\nname: older\nsources: [{match: {kuma.io/service: web}}]\ndestinations: [{match: {kuma.io/service: "
          "redis}}]\nconf: {connectTimeout: 1s}\n");
  EXPECT_EQ(of_type(explained("web-1", "backend"), "Timeout"), parse_json(R"({"type": "Timeout", "policy": "narrow", "lost": [
      {"policy": "elsewhere", "reason": "none of its sources is this dataplane"},
      {"policy": "older", "reason": "none of its destinations is \"backend\""},
      {"policy": "timeout-all-default", "reason": "\"narrow\" matches more tags, or more of them by value"}], "moreLost": 0})").value());
}

}  // namespace
}  // namespace kuma::plan
