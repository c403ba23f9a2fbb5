#include "insight/mesh_counts.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <random>

#include "insight/status.h"
#include "model/proto_json.h"
#include "model/rest.h"

namespace kuma::insight {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using google::protobuf::util::MessageDifferencer;

struct Counts : ::testing::Test {
  model::Registry registry{model::core_types()};
  MeshCounts counts;
  std::map<std::pair<std::string, std::string>, model::ResourcePtr> stored;  // by type and name

  void put(const std::string& document) {
    const auto parsed = model::from_rest(registry, parse_json(document).value());
    auto resource = std::make_shared<model::Resource>(parsed.value().resource);
    model::ResourcePtr& slot = stored[{std::string(resource->type->name), resource->meta.name}];
    counts.apply({.before = slot, .after = resource});
    slot = resource;
  }
  void remove(const std::string& type, const std::string& name) {
    const auto at = stored.find({type, name});
    counts.apply({.before = at->second, .after = nullptr});
    stored.erase(at);
  }
  std::string mesh() const { return to_json(model::to_json_object(counts.mesh_insight())); }
  std::string services() const { return to_json(model::to_json_object(counts.service_insight())); }
};

std::string dataplane(const std::string& name, const std::string& networking) {
  return fmt::format(
      R"({{"type": "Dataplane", "mesh": "m", "name": "{}", "networking": {{"address": "10.0.0.1", {}}}}})", name,
      networking);
}

std::string connected(const std::string& name, const std::string& more = {}) {
  return fmt::format(
      R"({{"type": "DataplaneInsight", "mesh": "m", "name": "{}", "subscriptions": [{{"id": "1", "connectTime": "2023-01-01T00:00:00Z"{}}}]{}}})",
      name, R"(, "version": {"kumaDp": {"version": "2.5.11"}, "envoy": {"version": "1.28.7"}})", more);
}

constexpr char kWeb[] = R"("inbound": [{"port": 80, "tags": {"kuma.io/service": "web"}}])";

TEST_F(Counts, Of_an_empty_mesh_print_every_message) {
  EXPECT_TRUE(counts.empty());
  EXPECT_EQ(mesh(), R"({"dataplanes":{},"dpVersions":{},"mTLS":{},"services":{},"dataplanesByType":{"standard":{},)"
                    R"("gateway":{},"gatewayBuiltin":{},"gatewayDelegated":{}}})");
  EXPECT_EQ(services(), "{}");
}

TEST_F(Counts, Take_proxies_that_never_connected_for_offline_with_unknown_versions) {
  put(dataplane("web-1", kWeb));
  put(dataplane("edge-1", R"("gateway": {"type": "BUILTIN", "tags": {"kuma.io/service": "edge"}})"));
  put(R"({"type": "ExternalService", "mesh": "m", "name": "maps", "tags": {"kuma.io/service": "maps"}, "networking": {"address": "a.example.com:80"}})");
  EXPECT_EQ(
      mesh(),
      R"({"dataplanes":{"total":2,"offline":2},"dpVersions":{"kumaDp":{"unknown":{"total":2,"offline":2}},)"
      R"("envoy":{"unknown":{"total":2,"offline":2}}},"mTLS":{},"services":{"total":3,"internal":2,"external":1},)"
      R"("dataplanesByType":{"standard":{"total":1,"offline":1},"gateway":{"total":1,"offline":1},)"
      R"("gatewayBuiltin":{"total":1,"offline":1},"gatewayDelegated":{}}})");
  EXPECT_EQ(
      services(),
      R"({"services":{"edge":{"status":"offline","dataplanes":{"offline":1},"serviceType":"gateway_builtin"},)"
      R"("maps":{"status":"not_available","dataplanes":{},"serviceType":"external","addressPort":"a.example.com:80"},)"
      R"("web":{"status":"offline","dataplanes":{"offline":1}}}})");
}

TEST_F(Counts, Take_partly_degraded_proxies_for_offline_in_services_and_leave_them_out_of_the_versions_totals) {
  put(dataplane("web-1", kWeb));
  put(connected("web-1", R"(, "mTLS": {"issuedBackend": "ca-1", "supportedBackends": ["ca-1", "ca-2"]})"));
  put(dataplane(
      "web-2",
      R"("inbound": [{"port": 80, "tags": {"kuma.io/service": "web"}}, {"port": 81, "health": {}, "tags": {"kuma.io/service": "web"}}])"));
  put(connected("web-2", R"(, "mTLS": {"issuedBackend": "ca-1", "supportedBackends": ["ca-1"]})"));
  EXPECT_EQ(
      mesh(),
      R"({"dataplanes":{"total":2,"online":1,"partiallyDegraded":1},)"
      R"("dpVersions":{"kumaDp":{"2.5.11":{"total":1,"online":1,"partiallyDegraded":1}},)"
      R"("envoy":{"1.28.7":{"total":1,"online":1,"partiallyDegraded":1}}},)"
      R"("mTLS":{"issuedBackends":{"ca-1":{"total":2,"online":1,"partiallyDegraded":1}},)"
      R"("supportedBackends":{"ca-1":{"total":2,"online":1,"partiallyDegraded":1},"ca-2":{"total":1,"online":1}}},)"
      R"("services":{"total":1,"internal":1},"dataplanesByType":{"standard":{"total":2,"online":1,"partiallyDegraded":1},)"
      R"("gateway":{},"gatewayBuiltin":{},"gatewayDelegated":{}}})");
  EXPECT_EQ(
      services(),
      R"({"services":{"web":{"status":"partially_degraded","dataplanes":{"online":1,"offline":2},"issuedBackends":{"ca-1":3}}}})");
}

TEST_F(Counts, Leave_out_ignored_inbounds) {
  put(dataplane("web-1", R"("inbound": [{"port": 80, "state": "Ignored", "tags": {"kuma.io/service": "web"}}])"));
  EXPECT_EQ(services(), "{}");
}

TEST_F(Counts, Take_the_kind_of_a_service_from_its_first_proxy_by_name) {
  put(dataplane("b", R"("gateway": {"tags": {"kuma.io/service": "web"}})"));
  put(dataplane("c", kWeb));
  EXPECT_NE(services().find("gateway_delegated"), std::string::npos);
  put(dataplane("a", kWeb));
  EXPECT_EQ(services().find("gateway_delegated"), std::string::npos);
}

TEST_F(Counts, Count_policies_by_type) {
  put(R"({"type": "Retry", "mesh": "m", "name": "r", "sources": [{"match": {"kuma.io/service": "*"}}],
          "destinations": [{"match": {"kuma.io/service": "*"}}], "conf": {"tcp": {"maxConnectAttempts": 1}}})");
  EXPECT_NE(mesh().find(R"("policies":{"Retry":{"total":1}})"), std::string::npos) << mesh();
  remove("Retry", "r");
  EXPECT_EQ(mesh().find("policies"), std::string::npos) << mesh();
}

TEST_F(Counts, Take_an_insight_into_account_only_with_its_dataplane) {
  put(connected("web-1"));
  EXPECT_NE(mesh().find(R"("dataplanes":{})"), std::string::npos);
  put(dataplane("web-1", kWeb));
  EXPECT_NE(mesh().find(R"("dataplanes":{"total":1,"online":1})"), std::string::npos);
  remove("DataplaneInsight", "web-1");
  EXPECT_NE(mesh().find(R"("dataplanes":{"total":1,"offline":1})"), std::string::npos);
  remove("Dataplane", "web-1");
  EXPECT_TRUE(counts.empty());
}

// Whatever the order of changes, the result is what counting everything anew gives.
TEST_F(Counts, Agree_with_counting_everything_anew_after_any_changes) {
  std::mt19937 random(7);
  const auto pick = [&](auto... choices) {
    const std::string all[] = {std::string(choices)...};
    return all[random() % sizeof...(choices)];
  };
  for (int step = 0; step < 2000; ++step) {
    const std::string name = pick("d1", "d2", "d3", "d4", "d5");
    const std::string service = pick("web", "api", "db");
    const auto known = [&](const char* type) { return stored.contains({type, name}); };
    switch (random() % 6) {
      case 0:
        put(dataplane(
            name,
            fmt::format(
                R"("inbound": [{{"port": 80, "tags": {{"kuma.io/service": "{}"}}}}, {{"port": 81, "health": {{"ready": {}}},
                                            "state": "{}", "tags": {{"kuma.io/service": "{}"}}}}])",
                service, pick("true", "false"), pick("Ready", "Ignored", "NotReady"), pick("web", "x"))));
        break;
      case 1:
        put(dataplane(name, fmt::format(R"("gateway": {{"type": "{}", "tags": {{"kuma.io/service": "{}"}}}})",
                                        pick("BUILTIN", "DELEGATED"), service)));
        break;
      case 2:
        put(connected(name, pick("", R"(, "mTLS": {"issuedBackend": "ca-1", "supportedBackends": ["ca-1", "ca-2"]})",
                                 R"(, "mTLS": {})")));
        break;
      case 3:
        put(fmt::format(
            R"({{"type": "ExternalService", "mesh": "m", "name": "{}", "tags": {{"kuma.io/service": "{}"}}, "networking": {{"address": "{}:80"}}}})",
            name, service, name));
        break;
      default:
        for (const char* type : {"Dataplane", "DataplaneInsight", "ExternalService"}) {
          if (known(type) && random() % 3 == 0) {
            remove(type, name);
          }
        }
    }
    MeshCounts anew;
    for (const auto& [key, resource] : stored) {
      anew.apply({.before = nullptr, .after = resource});
    }
    ASSERT_TRUE(MessageDifferencer::Equals(counts.mesh_insight(), anew.mesh_insight())) << step << "\n" << mesh();
    ASSERT_TRUE(MessageDifferencer::Equals(counts.service_insight(), anew.service_insight())) << step << "\n"
                                                                                              << services();
  }
}

}  // namespace
}  // namespace kuma::insight
