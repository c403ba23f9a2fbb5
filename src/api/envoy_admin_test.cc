#include <gtest/gtest.h>

#include "api/config_dump.h"
#include "api/testing.h"

namespace kuma::api {
namespace {

using testing::Answer;
using testing::ApiHarness;
using testing::error_body;

struct EnvoyAdmin : ::testing::Test, ApiHarness {
  EnvoyAdmin() {
    deps_hook = [this](ApiDeps& deps) {
      deps.fetch_admin_page = [this](AdminPage page, std::function<void(absl::StatusOr<std::string>)> done) {
        asked = fmt::format("{} {} {}", page.proxy->type->name, page.proxy->meta.name, page.path);
        done(answer);
      };
    };
  }
  void proxies() {
    stored(R"({"type": "Dataplane", "mesh": "m", "name": "web-1", "networking": {"address": "10.0.0.1",
               "inbound": [{"port": 80, "tags": {"kuma.io/service": "web"}}]}})");
    stored(
        R"({"type": "ZoneIngress", "name": "in", "zone": "west", "networking": {"address": "10.0.0.1", "port": 1}})");
    stored(R"({"type": "ZoneEgress", "name": "out", "networking": {"address": "10.0.0.1", "port": 1}})");
  }
  absl::StatusOr<std::string> answer = std::string("page");
  std::string asked;
};

TEST_F(EnvoyAdmin, Refuses_whom_settings_do_not_list_before_looking) {
  config.access.view_config_dump = {{}, {"operators"}};
  const std::string refused = error_body(403, "Access Denied", "action not allowed");
  EXPECT_EQ(get("/meshes/m/dataplanes/none/xds").body, refused);
  EXPECT_EQ(get("/zoneingresses/none/xds").body, refused);
  EXPECT_EQ(get("/meshes/m/dataplanes/none/stats").status, 404);
}

TEST_F(EnvoyAdmin, Knows_only_proxies_that_are_there) {
  EXPECT_EQ(get("/meshes/m/dataplanes/none/xds").body,
            error_body(404, "Could not get dataplane resource", "Not found"));
  EXPECT_EQ(get("/zoneingresses/none/clusters").body,
            error_body(404, "Could not get zone ingress resource", "Not found"));
  EXPECT_EQ(get("/zoneegresses/none/stats").body, error_body(404, "Could not get zone egress resource", "Not found"));
  EXPECT_EQ(get("/zone-ingresses/none/xds").body, "404: Page Not Found");
}

TEST_F(EnvoyAdmin, Hides_why_a_proxy_did_not_answer) {
  proxies();
  answer = absl::UnavailableError("connection refused");
  EXPECT_EQ(get("/meshes/m/dataplanes/web-1/xds").body,
            error_body(500, "Could not execute admin operation", "Internal Server Error"));
  answer = std::string("not JSON");
  EXPECT_EQ(get("/meshes/m/dataplanes/web-1/xds").status, 500);
}

TEST_F(EnvoyAdmin, Tells_that_a_zone_is_not_connected) {
  proxies();
  answer = absl::FailedPreconditionError("stream to execute stats operations is not yet connected");
  EXPECT_EQ(get("/meshes/m/dataplanes/web-1/stats").body,
            error_body(400, "Bad Request", "stream to execute stats operations is not yet connected"));
}

TEST_F(EnvoyAdmin, Reaches_no_ingress_of_another_zone) {
  config.mode = "zone";
  config.multizone.zone.name = "east";
  proxies();
  EXPECT_EQ(get("/zoneingresses/in/xds").body,
            error_body(400, "Could not connect to zone ingress that resides in another zone", "Resource is not valid"));
  EXPECT_EQ(get("/zoneegresses/out/stats").status, 200);
}

TEST_F(EnvoyAdmin, Reaches_nobody_without_a_client) {
  deps_hook = nullptr;
  proxies();
  EXPECT_EQ(get("/meshes/m/dataplanes/web-1/stats").status, 500);
}

TEST_F(EnvoyAdmin, Passes_pages_on) {
  proxies();
  const Answer stats = get("/meshes/m/dataplanes/web-1/stats");
  EXPECT_EQ(stats.status, 200);
  EXPECT_EQ(stats.body, "page");
  EXPECT_EQ(stats.header("Content-Type"), "text/plain");
  EXPECT_EQ(asked, "Dataplane web-1 stats");
  get("/zoneingresses/in/clusters");
  EXPECT_EQ(asked, "ZoneIngress in clusters");
  answer = std::string(R"({"configs": []})");
  const Answer dump = get("/zoneegresses/out/xds");
  EXPECT_EQ(asked, "ZoneEgress out config_dump");
  EXPECT_EQ(dump.body, "{\n \"configs\": []\n}\n");
  EXPECT_EQ(dump.header("Content-Type"), "application/json");
}

TEST(Sanitize_config_dump, Refuses_what_is_no_JSON) { EXPECT_FALSE(sanitize_config_dump("<html>").ok()); }

TEST(Sanitize_config_dump, Hides_the_proxy_s_tokens) {
  const auto dump =
      sanitize_config_dump(R"({"configs": [1, {"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
    "bootstrap": {"dynamic_resources": {"ads_config": {"grpc_services": [
    {"initial_metadata": [{"key": "authorization", "value": "secret"}, {"key": "other", "value": "x"}]}]}},
    "hds_config": {"grpcServices": [{"initialMetadata": [{"key": "authorization", "value": "secret"}]}]}}}]})");
  ASSERT_TRUE(dump.ok());
  EXPECT_EQ(dump->find("secret"), std::string::npos);
  EXPECT_NE(dump->find("\"value\": \"[redacted]\""), std::string::npos);
  EXPECT_NE(dump->find("\"value\": \"x\""), std::string::npos);
}

TEST(Sanitize_config_dump, Names_members_as_protobufs_JSON_and_leaves_the_keys_of_maps_alone) {
  const auto dump = sanitize_config_dump(R"({"configs": [
    {"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump", "version_info": "1", "dynamic_active_clusters": [
      {"cluster": {"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "alt_stat_name": "a_b",
        "typed_extension_protocol_options": {"some_key": {"@type": "type.googleapis.com/envoy.not.Known", "left_alone": 1}},
        "metadata": {"filter_metadata": {"io_kuma": {"tag_name": {"deep_name": "v"}}}}}}]},
    {"@type": "type.googleapis.com/unknown.Dump", "stays_here": {"as_it": "was"}}]})");
  ASSERT_TRUE(dump.ok());
  const json::value got = parse_json(*dump).value();
  EXPECT_EQ(got, parse_json(R"({"configs": [
    {"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump", "versionInfo": "1", "dynamicActiveClusters": [
      {"cluster": {"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "altStatName": "a_b",
        "typedExtensionProtocolOptions": {"some_key": {"@type": "type.googleapis.com/envoy.not.Known", "left_alone": 1}},
        "metadata": {"filterMetadata": {"io_kuma": {"tag_name": {"deep_name": "v"}}}}}}]},
    {"@type": "type.googleapis.com/unknown.Dump", "stays_here": {"as_it": "was"}}]})").value());
}

}  // namespace
}  // namespace kuma::api
