#include "manager/resource_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manager/errors.h"
#include "manager/testing.h"
#include "mesh/v1alpha1/dataplane_insight.pb.h"
#include "mesh/v1alpha1/mesh_insight.pb.h"
#include "system/v1alpha1/zone_insight.pb.h"

namespace kuma::manager {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::ManagerHarness;
using testing::text_of;

constexpr std::string_view kWeb =
    "{type: Dataplane, mesh: shop, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: "
    "web}}]}}";

class ResourceManagerTest : public ::testing::Test {
 protected:
  std::string put(std::string_view yaml) { return text_of(harness_.put(yaml)); }
  std::string remove(std::string_view type, const model::ResourceKey& key) { return text_of(harness_.remove(type, key)); }

  ManagerHarness harness_;
};

// ---- missing meshes, owners

TEST_F(ResourceManagerTest, Names_the_mesh_that_a_policy_or_dataplane_lacks) {
  for (const std::string_view yaml :
       {kWeb, std::string_view("{type: MeshTrafficPermission, mesh: shop, name: p, spec: {targetRef: {kind: Mesh}, from: "
                               "[{targetRef: {kind: Mesh}, default: {action: Allow}}]}}"),
        std::string_view("{type: TrafficPermission, mesh: shop, name: p, sources: [{match: {a: b}}], destinations: [{match: "
                         "{a: b}}]}")}) {
    const absl::Status status = harness_.put(yaml);
    EXPECT_EQ(text_of(status), "mesh: mesh of name shop is not found");
    EXPECT_TRUE(is_missing_mesh(status));
  }
}

TEST_F(ResourceManagerTest, Lets_secrets_external_services_and_rate_limits_live_without_a_mesh) {
  EXPECT_EQ(put("{type: Secret, mesh: nowhere, name: s, data: eA==}"), "");
  EXPECT_EQ(put("{type: ExternalService, mesh: nowhere, name: e, tags: {kuma.io/service: e}, networking: {address: 'h:80'}}"),
            "");
  EXPECT_EQ(put("{type: RateLimit, mesh: nowhere, name: r, sources: [{match: {kuma.io/service: '*'}}], destinations: [{match: "
                "{kuma.io/service: web}}], conf: {http: {requests: 1, interval: 1s}}}"),
            "");
}

TEST_F(ResourceManagerTest, Deletes_with_a_mesh_what_it_owns_and_nothing_else) {
  put("{type: Mesh, name: shop, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}");
  put("{type: Secret, mesh: shop, name: mine, data: eA==}");
  put("{type: ExternalService, mesh: shop, name: e, tags: {kuma.io/service: e}, networking: {address: 'h:80'}}");
  put("{type: MeshTrafficPermission, mesh: shop, name: p, spec: {targetRef: {kind: Mesh}, from: [{targetRef: {kind: Mesh}, "
      "default: {action: Allow}}]}}");
  EXPECT_THAT(harness_.names("Secret"), ElementsAre("shop/dataplane-token-signing-key-shop-1", "shop/mine",
                                                    "shop/shop.ca-builtin-cert-ca", "shop/shop.ca-builtin-key-ca"));
  EXPECT_EQ(remove("Mesh", {"", "shop"}), "");
  EXPECT_THAT(harness_.names("Secret"), ElementsAre("shop/mine"));
  EXPECT_THAT(harness_.names("ExternalService"), ElementsAre("shop/e"));
  EXPECT_THAT(harness_.names("MeshTrafficPermission"), IsEmpty());
  EXPECT_THAT(harness_.names("Timeout"), IsEmpty());
  EXPECT_THAT(harness_.names("Config"), IsEmpty());
}

TEST_F(ResourceManagerTest, Gives_insights_the_owner_of_their_key) {
  put("{type: Mesh, name: shop}");
  put(kWeb);
  const model::ResourceType& insight = *harness_.registry.find("DataplaneInsight");
  const auto nothing = [](model::Resource&) { return absl::OkStatus(); };
  EXPECT_TRUE(absl::IsNotFound(harness_.manager->upsert(insight, {"shop", "gone"}, nothing).status()));
  ASSERT_TRUE(harness_.manager->upsert(insight, {"shop", "web-1"}, nothing).ok());
  ASSERT_TRUE(harness_.manager->upsert(*harness_.registry.find("MeshInsight"), {"", "shop"}, nothing).ok());
  EXPECT_EQ(remove("Dataplane", {"shop", "web-1"}), "");
  EXPECT_THAT(harness_.names("DataplaneInsight"), IsEmpty());
  EXPECT_EQ(remove("Mesh", {"", "shop"}), "");
  EXPECT_THAT(harness_.names("MeshInsight"), IsEmpty());
}

// ---- validation

TEST_F(ResourceManagerTest, Validates_what_is_written_past_the_api_too) {
  auto dataplane = model::make_resource(*harness_.registry.find("Dataplane"), {"shop", "web-1"},
                                        std::unique_ptr<google::protobuf::Message>(
                                            harness_.registry.find("Dataplane")->prototype->New()));
  EXPECT_EQ(text_of(harness_.manager->create(std::move(dataplane)).status()), "networking: must be defined");
}

TEST_F(ResourceManagerTest, Reports_conflicts_in_the_stores_words) {
  put("{type: Mesh, name: shop}");
  put(kWeb);
  auto stale = model::Resource(*harness_.find("Dataplane", {"shop", "web-1"}));
  stale.meta.version = 17;
  EXPECT_EQ(text_of(harness_.manager->update(stale).status()),
            "resource conflict: type=\"Dataplane\" name=\"web-1\" mesh=\"shop\"");
  EXPECT_EQ(text_of(harness_.manager->create(stale).status()),
            "resource already exists: type=\"Dataplane\" name=\"web-1\" mesh=\"shop\"");
  auto mesh = model::Resource(*harness_.find("Mesh", {"", "shop"}));
  EXPECT_TRUE(absl::IsAlreadyExists(harness_.manager->create(mesh).status()));
  EXPECT_THAT(harness_.names("Config"), IsEmpty());  // the second creation leaves no trace
  EXPECT_TRUE(absl::IsNotFound(harness_.remove("Mesh", {"", "none"})));
}

// ---- dataplanes

TEST_F(ResourceManagerTest, Begins_inbounds_with_a_probe_as_not_ready_but_leaves_updates_alone) {
  constexpr std::string_view kProbed =
      "{type: Dataplane, mesh: shop, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: "
      "{kuma.io/service: web}, serviceProbe: {tcp: {}}}, {port: 81, tags: {kuma.io/service: api}}]}}";
  put("{type: Mesh, name: shop}");
  EXPECT_EQ(put(kProbed), "");
  EXPECT_EQ(harness_.get("Dataplane", {"shop", "web-1"}),
            R"({"mesh":"shop","name":"web-1","networking":{"address":"10.0.0.1","inbound":[{"health":{},"port":80,)"
            R"("serviceProbe":{"tcp":{}},"state":"NotReady","tags":{"kuma.io/service":"web"}},{"port":81,)"
            R"("tags":{"kuma.io/service":"api"}}]},"type":"Dataplane"})");
  EXPECT_EQ(put(kProbed), "");
  EXPECT_THAT(harness_.get("Dataplane", {"shop", "web-1"}), Not(HasSubstr("NotReady")));
}

TEST(ResourceManagerInZone, Tags_every_inbound_and_gateway_with_the_zone) {
  ManagerHarness harness({.zone_name = "east"});
  EXPECT_TRUE(harness.put("{type: Mesh, name: shop}").ok());
  EXPECT_TRUE(harness.put("{type: Dataplane, mesh: shop, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, "
                          "tags: {kuma.io/service: web, kuma.io/zone: mine}}]}}")
                  .ok());
  EXPECT_THAT(harness.get("Dataplane", {"shop", "web-1"}), HasSubstr(R"("kuma.io/zone":"east")"));
  EXPECT_TRUE(harness.put("{type: Dataplane, mesh: shop, name: gw, networking: {address: 10.0.0.1, gateway: {tags: "
                          "{kuma.io/service: gw}}}}")
                  .ok());
  EXPECT_THAT(harness.get("Dataplane", {"shop", "gw"}), HasSubstr(R"("kuma.io/zone":"east")"));
}

TEST_F(ResourceManagerTest, Refuses_dataplanes_that_the_meshs_constraints_keep_out) {
  put("{type: Mesh, name: c, constraints: {dataplaneProxy: {requirements: [{tags: {team: red}}, {tags: {team: blue, env: "
      "'*'}}], restrictions: [{tags: {kuma.io/service: bad}}]}}}");
  const auto dataplane = [&](std::string_view networking) {
    const absl::Status status = harness_.put(
        fmt::format("{{type: Dataplane, mesh: c, name: d, networking: {{address: 10.0.0.1, {}}}}}", networking));
    EXPECT_EQ(is_refused_membership(status), !status.ok());
    EXPECT_EQ(absl::IsInternal(status), !status.ok());
    return text_of(status);
  };
  EXPECT_EQ(dataplane("inbound: [{port: 80, tags: {kuma.io/service: a, team: blue}}]"),
            "dataplane cannot be a member of mesh \"c\" because its tags \"kuma.io/service=a team=blue\" does not fulfill any "
            "requirements defined on the Mesh");
  EXPECT_EQ(dataplane("inbound: [{port: 80, tags: {kuma.io/service: bad, team: red}}]"),
            "dataplane cannot be a member of mesh \"c\" because its tags \"kuma.io/service=bad team=red\" matches restricted "
            "tags \"kuma.io/service=bad\" defined on the Mesh");
  EXPECT_NE(dataplane("inbound: [{port: 80, tags: {kuma.io/service: a, team: red}}, {port: 81, tags: {kuma.io/service: a}}]"),
            "");
  EXPECT_NE(dataplane("gateway: {tags: {kuma.io/service: a, team: green}}"), "");
  EXPECT_EQ(dataplane("inbound: [{port: 80, tags: {kuma.io/service: a, team: blue, env: x}}]"), "");
  EXPECT_EQ(dataplane("inbound: [{port: 80, tags: {kuma.io/service: a, team: red}}]"), "");  // updates are checked too
  EXPECT_NE(dataplane("inbound: [{port: 80, tags: {kuma.io/service: a}}]"), "");
}

// ---- rate limits and external services

TEST_F(ResourceManagerTest, Refuses_rate_limits_of_more_than_the_service_on_external_services) {
  constexpr std::string_view kRefused =
      "ratelimit: RateLimit applied to external service only supports kuma.io/service as destination match";
  const auto rate_limit = [&](std::string_view name, std::string_view match) {
    return put(fmt::format("{{type: RateLimit, mesh: shop, name: {}, sources: [{{match: {{kuma.io/service: '*'}}}}], "
                           "destinations: [{{match: {{{}}}}}], conf: {{http: {{requests: 1, interval: 1s}}}}}}",
                           name, match));
  };
  const auto service = [&](std::string_view name) {
    return put(fmt::format("{{type: ExternalService, mesh: shop, name: {0}, tags: {{kuma.io/service: {0}}}, networking: "
                           "{{address: 'h:80'}}}}",
                           name));
  };
  EXPECT_EQ(rate_limit("fine", "kuma.io/service: maps, version: '1'"), "");
  EXPECT_EQ(service("maps"),
            "externalservice: ExternalService would match RateLimit 'fine' which includes incompatible destination matches");
  EXPECT_EQ(service("other"), "");
  EXPECT_EQ(rate_limit("toother", "kuma.io/service: other, version: '1'"), kRefused);
  EXPECT_EQ(rate_limit("toall", "kuma.io/service: '*', version: '1'"), kRefused);
  EXPECT_EQ(rate_limit("plain", "kuma.io/service: other"), "");
  EXPECT_EQ(rate_limit("noservice", "version: '1', a: b"), "");
  EXPECT_EQ(rate_limit("plain", "kuma.io/service: other, version: '1'"), kRefused);
}

// ---- deletion

TEST_F(ResourceManagerTest, Keeps_a_mesh_that_has_dataplanes) {
  put("{type: Mesh, name: shop}");
  put(kWeb);
  EXPECT_EQ(remove("Mesh", {"", "shop"}), "mesh: unable to delete mesh, there are still some dataplanes attached");
  EXPECT_EQ(remove("Dataplane", {"shop", "web-1"}), "");
  EXPECT_EQ(remove("Mesh", {"", "shop"}), "");
}

TEST_F(ResourceManagerTest, Keeps_a_zone_that_is_connected) {
  put("{type: Zone, name: east}");
  system::v1alpha1::ZoneInsight insight;
  insight.add_subscriptions()->mutable_connect_time()->set_seconds(1);
  const auto set = [&](model::Resource& resource) {
    resource.message = std::make_shared<system::v1alpha1::ZoneInsight>(insight);
    return absl::OkStatus();
  };
  const model::ResourceType& type = *harness_.registry.find("ZoneInsight");
  ASSERT_TRUE(harness_.manager->upsert(type, {"", "east"}, set).ok());
  EXPECT_EQ(remove("Zone", {"", "east"}),
            "zone: unable to delete Zone, Zone CP is still connected, please shut it down first");
  insight.mutable_subscriptions(0)->mutable_disconnect_time()->set_seconds(2);
  ASSERT_TRUE(harness_.manager->upsert(type, {"", "east"}, set).ok());
  EXPECT_EQ(remove("Zone", {"", "east"}), "");
  EXPECT_THAT(harness_.names("ZoneInsight"), IsEmpty());
}

TEST_F(ResourceManagerTest, Keeps_secrets_that_a_backend_of_the_mesh_uses) {
  const auto in_use = [](std::string_view secret, std::string_view mesh, std::string_view backend) {
    return fmt::format(
        "name: The secret \"{}\" that you are trying to remove is currently in use in Mesh \"{}\" in mTLS backend \"{}\". "
        "Please remove the reference from the \"{}\" backend before removing the secret.",
        secret, mesh, backend, backend);
  };
  put("{type: Mesh, name: built, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}");
  put("{type: Mesh, name: prov, mtls: {skipValidation: true, enabledBackend: p, backends: [{name: p, type: provided, conf: "
      "{cert: {secret: cert}, key: {secret: key}}}]}}");
  for (const char* name : {"cert", "key", "spare"}) {
    put(fmt::format("{{type: Secret, mesh: prov, name: {}, data: eA==}}", name));
  }
  EXPECT_EQ(remove("Secret", {"built", "built.ca-builtin-cert-ca"}), in_use("built.ca-builtin-cert-ca", "built", "ca"));
  EXPECT_EQ(remove("Secret", {"built", "built.ca-builtin-key-ca"}), in_use("built.ca-builtin-key-ca", "built", "ca"));
  EXPECT_EQ(remove("Secret", {"built", "dataplane-token-signing-key-built-1"}), "");
  EXPECT_EQ(remove("Secret", {"prov", "cert"}), in_use("cert", "prov", "p"));
  EXPECT_EQ(remove("Secret", {"prov", "key"}), in_use("key", "prov", "p"));
  EXPECT_EQ(remove("Secret", {"prov", "spare"}), "");
  put("{type: Mesh, name: built, mtls: {backends: [{name: ca, type: builtin}]}}");
  EXPECT_EQ(remove("Secret", {"built", "built.ca-builtin-key-ca"}), in_use("built.ca-builtin-key-ca", "built", "ca"));
  put("{type: Mesh, name: built}");
  EXPECT_EQ(remove("Secret", {"built", "built.ca-builtin-key-ca"}), "");
}

TEST(ResourceManagerUnsafe, Deletes_what_is_in_use_when_told_so) {
  ManagerHarness harness({.unsafe_delete = true});
  EXPECT_TRUE(harness.put("{type: Mesh, name: shop, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}").ok());
  EXPECT_TRUE(harness.put(kWeb).ok());
  EXPECT_TRUE(harness.remove("Secret", {"shop", "shop.ca-builtin-key-ca"}).ok());
  EXPECT_TRUE(harness.remove("Mesh", {"", "shop"}).ok());
  EXPECT_THAT(harness.names("Dataplane"), ElementsAre("shop/web-1"));
}

TEST(ResourceManagerInZone, Leaves_secrets_to_the_global) {
  ManagerHarness harness({.mode = Mode::Zone, .zone_name = "east"});
  EXPECT_TRUE(harness.put("{type: Mesh, name: shop, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}").ok());
  EXPECT_TRUE(harness.remove("Secret", {"shop", "shop.ca-builtin-key-ca"}).ok());
}

// ---- upsert

TEST_F(ResourceManagerTest, Upserts_again_when_another_writer_came_in_between) {
  put("{type: Mesh, name: shop}");
  put(kWeb);
  int calls = 0;
  const auto written = harness_.manager->upsert(
      *harness_.registry.find("Dataplane"), {"shop", "web-1"}, [&](model::Resource& resource) {
        EXPECT_EQ(resource.meta.version, calls == 0 ? 1U : 2U);
        if (++calls == 1) {
          EXPECT_EQ(put(kWeb), "");
        }
        return absl::OkStatus();
      });
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ((*written)->meta.version, 3U);
}

TEST_F(ResourceManagerTest, Gives_up_an_upsert_that_never_gets_its_turn) {
  put("{type: Mesh, name: shop}");
  put(kWeb);
  int calls = 0;
  const auto written =
      harness_.manager->upsert(*harness_.registry.find("Dataplane"), {"shop", "web-1"}, [&](model::Resource&) {
        ++calls;
        EXPECT_EQ(put(kWeb), "");
        return absl::OkStatus();
      });
  EXPECT_TRUE(absl::IsAborted(written.status()));
  EXPECT_EQ(calls, 10);
}

TEST_F(ResourceManagerTest, Ends_an_upsert_that_its_change_refuses) {
  put("{type: Mesh, name: shop}");
  const auto written = harness_.manager->upsert(*harness_.registry.find("Dataplane"), {"shop", "web-1"},
                                                [](model::Resource& resource) {
                                                  EXPECT_EQ(resource.meta.version, 0U);
                                                  return absl::CancelledError("never mind");
                                                });
  EXPECT_TRUE(absl::IsCancelled(written.status()));
  EXPECT_THAT(harness_.names("Dataplane"), IsEmpty());
}

}  // namespace
}  // namespace kuma::manager
