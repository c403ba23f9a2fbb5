#include <gtest/gtest.h>

#include "api/testing.h"
#include "policy/policy.h"

namespace kuma::api {
namespace {

using testing::Answer;
using testing::ApiHarness;
using testing::error_body;

model::Registry real_types() {
  std::vector<model::ResourceType> types = model::core_types();
  for (model::ResourceType& type : policy::policy_types()) {
    types.push_back(std::move(type));
  }
  return model::Registry(std::move(types));
}

constexpr char kSelectAll[] =
    R"("sources": [{"match": {"kuma.io/service": "*"}}], "destinations": [{"match": {"kuma.io/service": "*"}}])";

struct Inspect : ::testing::Test, ApiHarness {
  Inspect() : ApiHarness(real_types()) {}

  void mesh_of_two() {
    stored(R"({"type": "Mesh", "name": "m"})");
    stored(R"({"type": "Dataplane", "mesh": "m", "name": "db-1", "networking": {"address": "10.0.0.2",
               "inbound": [{"port": 5432, "tags": {"kuma.io/service": "db"}}]}})");
    stored(R"({"type": "Dataplane", "mesh": "m", "name": "web-1", "networking": {"address": "10.0.0.1",
               "inbound": [{"port": 80, "servicePort": 8080, "tags": {"kuma.io/service": "web", "version": "v1"}}],
               "outbound": [{"port": 5000, "tags": {"kuma.io/service": "db"}}]}})");
  }
  void legacy(std::string_view type, std::string_view name, std::string_view more = R"("conf": {})") {
    stored(fmt::format(R"({{"type": "{}", "mesh": "m", "name": "{}", {}, {}}})", type, name, kSelectAll, more));
  }
  void permission(std::string_view name, std::string_view spec) {
    stored(fmt::format(R"({{"type": "MeshTrafficPermission", "mesh": "m", "name": "{}", "spec": {}}})", name, spec));
  }
};

// ---- bad input

TEST_F(Inspect, Fails_for_an_unknown_mesh_as_clients_know_it) {
  const std::string context = error_body(500, "Could not build MeshContext", "Internal Server Error");
  EXPECT_EQ(get("/meshes/none/dataplanes/d/policies").body, context);
  EXPECT_EQ(get("/meshes/none/dataplanes/d/rules").body, context);
  EXPECT_EQ(get("/meshes/none/retries/r/dataplanes").body,
            error_body(500, "Could not list Dataplanes", "Internal Server Error"));
}

TEST_F(Inspect, Knows_only_dataplanes_that_are_there) {
  mesh_of_two();
  for (const char* page : {"policies", "rules"}) {
    EXPECT_EQ(get(std::string("/meshes/m/dataplanes/none/") + page).body,
              error_body(404, "Could not get MatchedPolicies", "Not found"));
  }
}

TEST_F(Inspect, Finds_no_dataplanes_of_an_unknown_policy) {
  mesh_of_two();
  EXPECT_EQ(compact("/meshes/m/retries/none/dataplanes"), R"({"total":0,"items":[]})");
  EXPECT_EQ(get("/meshes/m/retries/none/_resources/dataplanes").body,
            error_body(404, "Could not retrieve policy", "Not found"));
  EXPECT_EQ(get("/meshes/m/virtual-outbounds/none/dataplanes").body, "404: Page Not Found");
}

TEST_F(Inspect, Refuses_bad_pages_under_a_title_of_its_own) {
  EXPECT_EQ(get("/meshes/m/retries/none/_resources/dataplanes?size=2000").body,
            error_body(400, "Could not retrieve policy", "Invalid page size",
                       {{"size", "invalid page size of 2000. Maximum page size is 1000"}}));
}

// ---- policies of a dataplane

TEST_F(Inspect, Shows_nothing_where_no_policy_applies) {
  mesh_of_two();
  EXPECT_EQ(compact("/meshes/m/dataplanes/web-1/policies"), R"({"kind":"SidecarDataplane","total":0,"items":[]})");
  EXPECT_EQ(compact("/meshes/m/dataplanes/web-1/rules"), R"({"total":0,"items":[]})");
}

TEST_F(Inspect, Attaches_policies_to_the_parts_of_a_proxy) {
  mesh_of_two();
  legacy("TrafficPermission", "tp");
  legacy("Timeout", "ti");
  legacy("Retry", "re");
  legacy("FaultInjection", "fi");
  permission(
      "mtp",
      R"({"targetRef": {"kind": "MeshService", "name": "web"}, "from": [{"targetRef": {"kind": "Mesh"}, "default": {"action": "Allow"}}]})");
  EXPECT_EQ(
      compact("/meshes/m/dataplanes/web-1/policies"),
      R"({"kind":"SidecarDataplane","total":4,"items":[)"
      R"({"type":"dataplane","matchedPolicies":{"MeshTrafficPermission":[{"type":"MeshTrafficPermission","mesh":"m","name":"mtp"}]}},)"
      R"({"type":"inbound","name":"10.0.0.1:80:8080","service":"web","matchedPolicies":{"FaultInjection":[{"type":"FaultInjection","mesh":"m","name":"fi"}],)"
      R"("TrafficPermission":[{"type":"TrafficPermission","mesh":"m","name":"tp"}]}},)"
      R"({"type":"outbound","name":"127.0.0.1:5000","service":"db","matchedPolicies":{"Timeout":[{"type":"Timeout","mesh":"m","name":"ti"}]}},)"
      R"({"type":"service","name":"db","service":"db","matchedPolicies":{"Retry":[{"type":"Retry","mesh":"m","name":"re"}]}}]})");
}

TEST_F(Inspect, Attaches_service_policies_to_where_routes_lead) {
  mesh_of_two();
  legacy("TrafficRoute", "tr", R"("conf": {"split": [{"weight": 1, "destination": {"kuma.io/service": "db-new"}},
                                                     {"weight": 1, "destination": {"kuma.io/service": "*"}}]})");
  legacy("Retry", "re");
  EXPECT_EQ(
      compact("/meshes/m/retries/re/dataplanes"),
      R"({"total":1,"items":[{"kind":"SidecarDataplane","dataplane":{"mesh":"m","name":"web-1"},"attachments":[)"
      R"({"type":"service","name":"db","service":"db"},{"type":"service","name":"db-new","service":"db-new"}]}]})");
}

TEST_F(Inspect, Orders_all_policies_of_an_inbound_by_their_first_source) {
  mesh_of_two();
  const auto fault = [&](std::string_view name, std::string_view source) {
    clock.advance(std::chrono::seconds(1));
    stored(fmt::format(R"({{"type": "FaultInjection", "mesh": "m", "name": "{}", "sources": [{{"match": {}}}],
                            "destinations": [{{"match": {{"kuma.io/service": "web"}}}}], "conf": {{}}}})",
                       name, source));
  };
  fault("wide", R"({"kuma.io/service": "*"})");
  fault("later", R"({"kuma.io/service": "*"})");
  fault("narrow", R"({"kuma.io/service": "db", "version": "v1"})");
  const std::string body = compact("/meshes/m/dataplanes/web-1/policies");
  EXPECT_LT(body.find("narrow"), body.find("later"));
  EXPECT_LT(body.find("later"), body.find("wide"));
}

// ---- rules

TEST_F(Inspect, Shows_the_rules_of_each_inbound) {
  mesh_of_two();
  permission("mtp", R"({"targetRef": {"kind": "Mesh"}, "from": [
    {"targetRef": {"kind": "MeshService", "name": "db"}, "default": {"action": "Deny"}}]})");
  EXPECT_EQ(
      compact("/meshes/m/dataplanes/db-1/rules"),
      R"({"total":1,"items":[{"type":"ClientSubset","name":"db","addresses":["10.0.0.2:5432"],"service":"db","tags":{"kuma.io/service":"db"},)"
      R"("policyType":"MeshTrafficPermission","subset":{"kuma.io/service":"db"},"conf":{"action":"Deny"},"origins":[{"mesh":"m","name":"mtp"}]}]})");
}

// ---- dataplanes of a policy

TEST_F(Inspect, Pages_through_the_dataplanes_of_a_policy) {
  mesh_of_two();
  permission(
      "mtp",
      R"({"targetRef": {"kind": "Mesh"}, "from": [{"targetRef": {"kind": "Mesh"}, "default": {"action": "Allow"}}]})");
  const std::string base = "/meshes/m/meshtrafficpermissions/mtp/_resources/dataplanes";
  EXPECT_EQ(
      compact(base),
      R"({"items":[{"mesh":"m","name":"db-1","type":"Dataplane"},{"mesh":"m","name":"web-1","type":"Dataplane"}],"total":2})");
  EXPECT_EQ(compact(base + "?size=1"),
            R"({"items":[{"mesh":"m","name":"db-1","type":"Dataplane"}],"next":"http://localhost:5681)" + base +
                R"(?offset=1&size=1","total":2})");
  EXPECT_EQ(compact(base + "?name=web"), R"({"items":[{"mesh":"m","name":"web-1","type":"Dataplane"}],"total":1})");
  EXPECT_EQ(compact(base + "?offset=2"), R"({"items":[],"total":2})");
}

TEST_F(Inspect, Counts_a_dataplane_that_is_a_source_or_a_destination) {
  mesh_of_two();
  stored(R"({"type": "TrafficLog", "mesh": "m", "name": "l", "sources": [{"match": {"version": "v1"}}],
             "destinations": [{"match": {"kuma.io/service": "db"}}], "conf": {}})");
  EXPECT_EQ(
      compact("/meshes/m/traffic-logs/l/_resources/dataplanes"),
      R"({"items":[{"mesh":"m","name":"db-1","type":"Dataplane"},{"mesh":"m","name":"web-1","type":"Dataplane"}],"total":2})");
}

}  // namespace
}  // namespace kuma::api
