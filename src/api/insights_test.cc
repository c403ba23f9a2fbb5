#include <gtest/gtest.h>

#include "api/testing.h"

namespace kuma::api {
namespace {

using testing::Answer;
using testing::ApiHarness;
using testing::error_body;

constexpr char kDataplane[] =
    R"({"type": "Dataplane", "mesh": "m", "name": "web-1", "networking": {"address": "10.0.0.1",
  "inbound": [{"port": 80, "tags": {"kuma.io/service": "web"}}]}})";
constexpr char kDataplaneInsight[] = R"({"type": "DataplaneInsight", "mesh": "m", "name": "web-1", "subscriptions": [
  {"id": "1", "connectTime": "2023-11-01T10:00:01.500Z", "status": {"total": {"responsesSent": "8"}}}]})";
constexpr char kServiceInsight[] = R"({"type": "ServiceInsight", "mesh": "m", "name": "all-services-m", "services": {
  "web": {"status": "partially_degraded", "dataplanes": {"online": 1, "offline": 2}, "issuedBackends": {"ca-1": 1}},
  "edge": {"status": "offline", "dataplanes": {"offline": 1}, "serviceType": "gateway_builtin"},
  "kong": {"status": "online", "dataplanes": {"online": 1}, "serviceType": "gateway_delegated"},
  "maps": {"status": "not_available", "dataplanes": {}, "serviceType": "external", "addressPort": "a.example.com:80"}}})";

struct Insights : ::testing::Test, ApiHarness {
  std::string service_names(std::string target) {
    const json::value body = parse_json(get(std::move(target)).body).value();
    std::string out;
    for (const json::value& item : find(body, "items")->get_array()) {
      out += std::string(find(item, "name")->get_string()) + " ";
    }
    return out + "of " + to_json(*find(body, "total"));
  }
};

// ---- overviews

TEST_F(Insights, Have_no_overview_of_what_is_absent) {
  for (const char* path :
       {"/meshes/m/dataplanes/none/_overview", "/meshes/m/dataplanes+insights/none", "/zones/none/_overview",
        "/zones+insights/none", "/zone-ingresses/none/_overview", "/zoneingresses+insights/none",
        "/zoneegresses/none/_overview", "/zoneegressoverviews/none"}) {
    EXPECT_EQ(get(path).body, error_body(404, "Could not retrieve a resource", "Not found")) << path;
  }
}

TEST_F(Insights, Join_a_dataplane_with_its_insight) {
  stored(kDataplane);
  stored(kDataplaneInsight);
  const std::string expected = R"({
 "type": "DataplaneOverview",
 "mesh": "m",
 "name": "web-1",
 "creationTime": "2023-11-14T22:13:20Z",
 "modificationTime": "2023-11-14T22:13:20Z",
 "dataplane": {
  "networking": {
   "address": "10.0.0.1",
   "inbound": [
    {
     "port": 80,
     "tags": {
      "kuma.io/service": "web"
     }
    }
   ]
  }
 },
 "dataplaneInsight": {
  "subscriptions": [
   {
    "id": "1",
    "connectTime": "2023-11-01T10:00:01.500Z",
    "status": {
     "total": {
      "responsesSent": "8"
     }
    }
   }
  ]
 }
}
)";
  EXPECT_EQ(get("/meshes/m/dataplanes/web-1/_overview").body, expected);
  EXPECT_EQ(get("/meshes/m/dataplanes+insights/web-1").body, expected);
}

TEST_F(Insights, Show_a_missing_insight_as_empty_in_items_and_not_at_all_in_lists) {
  stored(kDataplane);
  stored(R"({"type": "Zone", "name": "east"})");
  stored(R"({"type": "ZoneIngress", "name": "in", "networking": {"address": "10.0.0.1", "port": 1}})");
  stored(R"({"type": "ZoneEgress", "name": "out", "networking": {"address": "10.0.0.1", "port": 1}})");
  for (const auto& [item, list, member] :
       {std::tuple("/meshes/m/dataplanes+insights/web-1", "/meshes/m/dataplanes+insights", "dataplaneInsight"),
        {"/meshes/m/dataplanes/web-1/_overview", "/dataplanes/_overview", "dataplaneInsight"},
        {"/zones+insights/east", "/zones/_overview", "zoneInsight"},
        {"/zoneingresses+insights/in", "/zoneingresses+insights", "zoneIngressInsight"},
        {"/zone-ingresses/in/_overview", "/zone-ingresses/_overview", "zoneIngressInsight"},
        {"/zoneegressoverviews/out", "/zoneegressoverviews", "zoneEgressInsight"},
        {"/zoneegresses/out/_overview", "/zoneegresses/_overview", "zoneEgressInsight"}}) {
    const json::value one = parse_json(get(item).body).value();
    ASSERT_NE(find(one, member), nullptr) << item;
    EXPECT_EQ(to_json(*find(one, member)), "{}") << item;
    const json::value all = parse_json(get(list).body).value();
    ASSERT_NE(find(all, "items"), nullptr) << list;
    ASSERT_EQ(find(all, "items")->get_array().size(), 1U) << list;
    EXPECT_EQ(find(find(all, "items")->get_array()[0], member), nullptr) << list;
  }
}

// ---- services

TEST_F(Insights, Have_no_services_of_an_unknown_mesh) {
  EXPECT_EQ(get("/meshes/none/service-insights/web").body,
            error_body(404, "Could not retrieve a resource", "Not found"));
  EXPECT_EQ(get("/meshes/none/service-insights").body, "{\n \"total\": 0,\n \"items\": [],\n \"next\": null\n}\n");
}

TEST_F(Insights, Refuse_bad_pages_of_services_under_a_title_of_their_own) {
  EXPECT_EQ(get("/meshes/m/service-insights?size=2000").body,
            error_body(400, "Could not paginate resources", "Invalid page size",
                       {{"size", "invalid page size of 2000. Maximum page size is 1000"}}));
}

TEST_F(Insights, Show_each_service_of_a_mesh_as_an_item) {
  stored(kServiceInsight);
  EXPECT_EQ(get("/meshes/m/service-insights/web").body, R"({
 "type": "ServiceInsight",
 "mesh": "m",
 "name": "web",
 "creationTime": "2023-11-14T22:13:20Z",
 "modificationTime": "2023-11-14T22:13:20Z",
 "status": "partially_degraded",
 "dataplanes": {
  "total": 3,
  "online": 1,
  "offline": 2
 },
 "issuedBackends": {
  "ca-1": 1
 },
 "addressPort": "web.mesh:80"
}
)");
  const json::value external = parse_json(get("/meshes/m/service-insights/maps").body).value();
  EXPECT_EQ(to_json(*find(external, "addressPort")), "\"a.example.com:80\"");
  EXPECT_EQ(to_json(*find(external, "dataplanes")), "{}");
  EXPECT_EQ(find(parse_json(get("/meshes/m/service-insights/edge").body).value(), "addressPort"), nullptr);
}

TEST_F(Insights, Make_up_services_that_a_known_mesh_does_not_have) {
  stored(kServiceInsight);
  config.dns_server.domain = "internal";
  config.dns_server.service_vip_port = 8080;
  const Answer answer = get("/meshes/m/service-insights/none");
  EXPECT_EQ(answer.status, 200);
  const json::value body = parse_json(answer.body).value();
  EXPECT_EQ(to_json(*find(body, "dataplanes")), "{}");
  EXPECT_EQ(to_json(*find(body, "addressPort")), "\"none.internal:8080\"");
  EXPECT_EQ(find(body, "status"), nullptr);
}

TEST_F(Insights, Page_and_filter_services) {
  stored(kServiceInsight);
  stored(R"({"type": "ServiceInsight", "mesh": "a", "name": "all-services-a", "services": {"web": {}}})");
  EXPECT_EQ(service_names("/meshes/m/service-insights"), "edge kong maps web of 4");
  EXPECT_EQ(service_names("/service-insights"), "web edge kong maps web of 5");
  EXPECT_EQ(service_names("/service-insights?size=2&offset=1"), "edge kong of 5");
  EXPECT_EQ(service_names("/service-insights?size=0&offset=4"), "web of 5");
  EXPECT_EQ(service_names("/service-insights?offset=9"), "of 5");
  EXPECT_EQ(service_names("/service-insights?name=ed&size=1"), "edge of 1");
  const json::value body = parse_json(get("/meshes/m/service-insights?size=2").body).value();
  EXPECT_EQ(to_json(*find(body, "next")), "\"http://localhost:5681/meshes/m/service-insights?offset=2&size=2\"");
}

// ---- the whole

TEST_F(Insights, Sum_up_nothing_as_zeros) {
  EXPECT_EQ(
      to_json(parse_json(get("/global-insight").body).value()),
      R"({"createdAt":"2023-11-14T22:13:20Z","dataplanes":{"gatewayBuiltin":{"offline":0,"online":0,"partiallyDegraded":0,"total":0},)"
      R"("gatewayDelegated":{"offline":0,"online":0,"partiallyDegraded":0,"total":0},"standard":{"offline":0,"online":0,"partiallyDegraded":0,"total":0}},)"
      R"("meshes":{"total":0},"policies":{"total":0},"services":{"external":{"total":0},"gatewayBuiltin":{"offline":0,"online":0,"partiallyDegraded":0,"total":0},)"
      R"("gatewayDelegated":{"offline":0,"online":0,"partiallyDegraded":0,"total":0},"internal":{"offline":0,"online":0,"partiallyDegraded":0,"total":0}},)"
      R"("zones":{"controlPlanes":{"online":0,"total":0},"zoneEgresses":{"online":0,"total":0},"zoneIngresses":{"online":0,"total":0}}})");
}

TEST_F(Insights, Sum_up_meshes_services_and_zones) {
  stored(kServiceInsight);
  stored(
      R"({"type": "MeshInsight", "name": "m", "policies": {"Retry": {"total": 2}, "Timeout": {"total": 1}}, "dataplanesByType": {
    "standard": {"total": 3, "online": 1, "offline": 1, "partiallyDegraded": 1}, "gatewayBuiltin": {"total": 1, "offline": 1}}})");
  stored(
      R"({"type": "ZoneInsight", "name": "z", "subscriptions": [{"id": "1", "connectTime": "2023-11-01T10:00:00Z"}]})");
  stored(
      R"({"type": "ZoneIngressInsight", "name": "i", "subscriptions": [{"id": "1", "connectTime": "2023-11-01T10:00:00Z",
             "disconnectTime": "2023-11-01T10:00:01Z"}]})");
  const json::value body = parse_json(get("/global-insight").body).value();
  EXPECT_EQ(to_json(*find(body, "meshes")), R"({"total":1})");
  EXPECT_EQ(to_json(*find(body, "policies")), R"({"total":3})");
  EXPECT_EQ(to_json(*find(*find(body, "dataplanes"), "standard")),
            R"({"offline":1,"online":1,"partiallyDegraded":1,"total":3})");
  EXPECT_EQ(to_json(*find(*find(body, "services"), "internal")),
            R"({"offline":0,"online":0,"partiallyDegraded":1,"total":1})");
  EXPECT_EQ(to_json(*find(*find(body, "services"), "external")), R"({"total":1})");
  EXPECT_EQ(to_json(*find(*find(body, "zones"), "controlPlanes")), R"({"online":1,"total":1})");
  EXPECT_EQ(to_json(*find(*find(body, "zones"), "zoneIngresses")), R"({"online":0,"total":1})");
}

TEST_F(Insights, Sum_up_at_most_once_in_the_cache_s_lifetime) {
  const std::string first = get("/global-insight").body;
  stored(kServiceInsight);
  clock.advance(std::chrono::milliseconds(999));
  EXPECT_EQ(get("/global-insight").body, first);
  clock.advance(std::chrono::milliseconds(1));
  EXPECT_NE(get("/global-insight").body, first);
}

TEST_F(Insights, Count_global_resources_in_the_older_form) {
  stored(R"({"type": "Mesh", "name": "m"})");
  EXPECT_EQ(to_json(parse_json(get("/global-insights").body).value()),
            R"({"type":"GlobalInsights","creationTime":"2023-11-14T22:13:20Z","resources":{"GlobalSecret":{"total":0},)"
            R"("Mesh":{"total":1},"Zone":{"total":0},"ZoneEgress":{"total":0},"ZoneIngress":{"total":0}}})");
}

TEST_F(Insights, Tell_which_zones_are_active) {
  EXPECT_EQ(get("/status/zones").body, "null\n");
  stored(R"({"type": "Zone", "name": "away"})");
  stored(R"({"type": "Zone", "name": "here"})");
  stored(R"({"type": "Zone", "name": "off", "enabled": false})");
  for (const char* zone : {"here", "off"}) {
    stored(fmt::format(
        R"({{"type": "ZoneInsight", "name": "{}", "subscriptions": [{{"id": "1", "connectTime": "2023-11-01T10:00:00Z"}}]}})",
        zone));
  }
  EXPECT_EQ(to_json(parse_json(get("/status/zones").body).value()),
            R"([{"name":"away","active":false},{"name":"here","active":true},{"name":"off","active":false}])");
}

}  // namespace
}  // namespace kuma::api
