#include "api/inspect_gateways.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/testing.h"
#include "policy/policy.h"

namespace kuma::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::ApiHarness;
using testing::error_body;

model::Registry real_types() {
  std::vector<model::ResourceType> types = model::core_types();
  for (model::ResourceType& type : policy::policy_types()) {
    types.push_back(std::move(type));
  }
  return model::Registry(std::move(types));
}

struct InspectGateways : ::testing::Test, ApiHarness {
  InspectGateways() : ApiHarness(real_types()) {
    stored(R"({"type": "Mesh", "name": "m"})");
    dataplane("edge-1", "edge");
    dataplane("lone-1", "lone");
    stored(R"({"type": "MeshGateway", "mesh": "m", "name": "edge", "selectors": [{"match": {"kuma.io/service": "edge"}}],
               "conf": {"listeners": [{"port": 8080, "protocol": "HTTP", "hostname": "a.example", "tags": {"port": "a"}},
                                      {"port": 8080, "protocol": "HTTP", "tags": {"port": "any"}},
                                      {"port": 9000, "protocol": "TCP", "tags": {"port": "tcp"}}]}})");
    route("split", "a", R"("http": {"rules": [{"matches": [{"path": {"match": "PREFIX", "value": "/"}}], "backends": [
                             {"weight": 1, "destination": {"kuma.io/service": "b"}},
                             {"weight": 1, "destination": {"kuma.io/service": "c"}}]}]})");
    route("twins", "any", R"("http": {"rules": [{"matches": [{"path": {"match": "PREFIX", "value": "/x"}}], "backends": [
                               {"weight": 1, "destination": {"kuma.io/service": "b"}}]}]})");
    route("bytes", "tcp", R"("tcp": {"rules": [{"backends": [{"weight": 1, "destination": {"kuma.io/service": "db"}}]}]})");
  }

  void dataplane(std::string_view name, std::string_view service) {
    stored(fmt::format(R"({{"type": "Dataplane", "mesh": "m", "name": "{}", "networking": {{"address": "10.0.0.1",
                            "gateway": {{"type": "BUILTIN", "tags": {{"kuma.io/service": "{}"}}}}}}}})",
                       name, service));
  }
  void route(std::string_view name, std::string_view port, std::string_view conf) {
    stored(fmt::format(R"({{"type": "MeshGatewayRoute", "mesh": "m", "name": "{}",
                            "selectors": [{{"match": {{"kuma.io/service": "edge", "port": "{}"}}}}], "conf": {{{}}}}})",
                       name, port, conf));
  }
  void policy(std::string_view type, std::string_view name, std::string_view source, std::string_view destination) {
    stored(fmt::format(R"({{"type": "{}", "mesh": "m", "name": "{}", "sources": [{{"match": {}}}],
                            "destinations": [{{"match": {{"kuma.io/service": "{}"}}}}], "conf": {{}}}})",
                       type, name, source, destination));
  }
  std::string page(const std::string& path) { return compact("/meshes/m/" + path); }
};

TEST_F(InspectGateways, Find_only_gateways_and_routes_that_are_there) {
  EXPECT_EQ(get("/meshes/m/meshgateways/none/dataplanes").body, error_body(404, "Could not find MeshGateway", "Not found"));
  EXPECT_EQ(get("/meshes/m/meshgatewayroutes/none/dataplanes").body,
            error_body(404, "Could not find MeshGatewayRoute", "Not found"));
  EXPECT_EQ(get("/meshes/none/meshgateways/edge/dataplanes").body,
            error_body(404, "Could not find MeshGateway", "Not found"));
  EXPECT_EQ(page("retries/none/dataplanes"), R"({"total":0,"items":[]})");
}

TEST_F(InspectGateways, A_dataplane_without_a_gateway_has_an_empty_one) {
  EXPECT_EQ(page("dataplanes/lone-1/policies"),
            R"({"kind":"MeshGatewayDataplane","gateway":{"mesh":"","name":""},"listeners":[]})");
}

TEST_F(InspectGateways, Policies_are_shown_where_routes_lead) {
  policy("Timeout", "slow", R"({"kuma.io/service": "edge", "port": "tcp"})", "db");
  policy("TrafficLog", "log", R"({"kuma.io/service": "edge"})", "*");
  EXPECT_EQ(
      page("dataplanes/edge-1/policies"),
      R"({"kind":"MeshGatewayDataplane","gateway":{"mesh":"m","name":"edge"},"listeners":[{"port":8080,"protocol":"HTTP","hosts":[)"
      R"({"hostName":"*","routes":[{"route":"twins","destinations":[{"tags":{"kuma.io/service":"b"},"policies":{}},)"
      R"({"tags":{"kuma.io/service":"b"},"policies":{}}]}]},)"
      R"({"hostName":"a.example","routes":[{"route":"split","destinations":[{"tags":{"kuma.io/service":"c"},"policies":{}}]}]}]},)"
      R"({"port":9000,"protocol":"TCP","hosts":[{"hostName":"*","routes":[{"route":"bytes","destinations":[{"tags":)"
      R"({"kuma.io/service":"db"},"policies":{"Timeout":{"type":"Timeout","mesh":"m","name":"slow"}}}]}]}]}],)"
      R"("policies":{"TrafficLog":{"type":"TrafficLog","mesh":"m","name":"log"}}})");
}

TEST_F(InspectGateways, A_policy_tells_every_destination_that_it_is_for) {
  policy("Retry", "again", R"({"kuma.io/service": "*"})", "*");
  EXPECT_EQ(
      page("retries/again/dataplanes"),
      R"({"total":1,"items":[{"kind":"MeshGatewayDataplane","dataplane":{"mesh":"m","name":"edge-1"},"gateway":{"mesh":"m","name":)"
      R"("edge"},"listeners":[{"port":8080,"protocol":"HTTP","hosts":[{"hostName":"a.example","routes":[{"route":"split",)"
      R"("destinations":[{"kuma.io/service":"b"},{"kuma.io/service":"c"}]}]},{"hostName":"*","routes":[{"route":"twins",)"
      R"("destinations":[{"kuma.io/service":"b"}]},{"route":"twins","destinations":[{"kuma.io/service":"b"}]}]}]},)"
      R"({"port":9000,"protocol":"TCP","hosts":[{"hostName":"*","routes":[{"route":"bytes","destinations":[{"kuma.io/service":)"
      R"("db"}]}]}]}]}]})");
  policy("Timeout", "c-only", R"({"kuma.io/service": "*"})", "c");
  EXPECT_THAT(page("timeouts/c-only/dataplanes"), AllOf(HasSubstr("a.example"), Not(HasSubstr("9000"))));
}

TEST_F(InspectGateways, Logs_and_traces_are_of_the_whole_gateway) {
  policy("TrafficLog", "log", R"({"kuma.io/service": "edge"})", "*");
  stored(R"({"type": "TrafficTrace", "mesh": "m", "name": "trace", "selectors": [{"match": {"kuma.io/service": "lone"}}], "conf": {}})");
  EXPECT_EQ(page("traffic-logs/log/dataplanes"),
            R"({"total":1,"items":[{"kind":"MeshGatewayDataplane","dataplane":{"mesh":"m","name":"edge-1"},"gateway":)"
            R"({"mesh":"m","name":"edge"}}]})");
  EXPECT_EQ(page("traffic-traces/trace/dataplanes"), R"({"total":0,"items":[]})") << "a gateway that is none does nothing";
}

TEST_F(InspectGateways, Gateways_and_routes_tell_their_dataplanes) {
  EXPECT_EQ(page("meshgateways/edge/dataplanes"), R"({"total":1,"items":[{"dataplane":{"mesh":"m","name":"edge-1"}}]})");
  EXPECT_EQ(page("meshgatewayroutes/bytes/dataplanes"), R"({"total":1,"items":[{"dataplane":{"mesh":"m","name":"edge-1"}}]})");
  route("elsewhere", "none", R"("tcp": {"rules": [{"backends": [{"weight": 1, "destination": {"kuma.io/service": "db"}}]}]})");
  EXPECT_EQ(page("meshgatewayroutes/elsewhere/dataplanes"), R"({"total":0,"items":[]})");
}

}  // namespace
}  // namespace kuma::api
