#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "xds/gen/testing.h"

namespace kuma::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// 100 services of 2 dataplanes; each talks to the next two services.
class ConcernsTest : public ::testing::Test {
 protected:
  static constexpr int kServices = 100;

  ConcernsTest() {
    rig.put("{type: Mesh, name: default, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin, mode: PERMISSIVE}]}}");
    for (int service = 0; service < kServices; ++service) {
      for (int instance = 0; instance < 2; ++instance) {
        rig.put(dataplane(service, instance));
        proxies.push_back(testing::Rig::input(fmt::format("dp-{}-{}", service, instance)));
      }
    }
    for (const ProxyInput& proxy : proxies) {
      generations.emplace(proxy.key, *rig.generate(proxy));
    }
  }

  static std::string dataplane(int service, int instance, std::string_view more = "") {
    return fmt::format(
        "{{type: Dataplane, mesh: default, name: dp-{0}-{1}, networking: {{address: 10.0.{0}.{1}, inbound: [{{port: 80{2}, tags: "
        "{{kuma.io/service: svc-{0}, kuma.io/protocol: http, half: h{3}}}}}], outbound: [{{port: 1, tags: {{kuma.io/service: "
        "svc-{4}}}}}, {{port: 2, tags: {{kuma.io/service: svc-{5}}}}}]}}}}",
        service, instance, more, service % 2, (service + 1) % kServices, (service + 2) % kServices);
  }

  // The proxies that the updates concern. Those that are said not to be concerned have to come out the same.
  std::vector<std::string> concerned(const std::vector<mesh::MeshUpdate>& updates) {
    std::vector<std::string> names;
    for (const ProxyInput& proxy : proxies) {
      Generation& last = generations.at(proxy.key);
      bool is_concerned = false;
      for (const mesh::MeshUpdate& update : updates) {
        is_concerned = is_concerned || concerns(update.change, *update.view, proxy.key, &last);
      }
      auto next = rig.generate(proxy);
      if (is_concerned) {
        names.push_back(proxy.key.name);
      } else if (next.ok()) {
        EXPECT_EQ(text_of(*next), text_of(last)) << proxy.key.name;
      }
      if (next.ok()) {
        last = *std::move(next);
      }
    }
    return names;
  }

  static std::string text_of(const Generation& generation) {
    std::string text;
    for (const auto& resources : generation.resources) {
      for (const GeneratedResource& resource : resources) {
        text += resource.wire->name + resource.wire->version;
      }
    }
    for (const SecretRef& secret : generation.secrets) {
      text += secret.name;
    }
    return text;
  }

  std::vector<std::string> put(const std::string& yaml) { return concerned(rig.put(yaml)); }

  testing::Rig rig;
  std::vector<ProxyInput> proxies;
  std::map<model::ResourceKey, Generation> generations;
};

TEST_F(ConcernsTest, A_proxy_without_a_configuration_is_concerned_by_anything) {
  EXPECT_TRUE(concerns({}, *rig.builder.find("default"), {"default", "dp-0-0"}, nullptr));
  EXPECT_FALSE(concerns({}, *rig.builder.find("default"), {"default", "dp-0-0"}, &generations.begin()->second));
}

TEST_F(ConcernsTest, An_endpoint_concerns_the_clients_of_its_service_and_its_own_proxy) {
  EXPECT_THAT(put(dataplane(50, 0, ", health: {ready: false}")),
              ElementsAre("dp-48-0", "dp-48-1", "dp-49-0", "dp-49-1", "dp-50-0"));
}

TEST_F(ConcernsTest, A_status_write_concerns_nobody) {
  EXPECT_THAT(put("{type: DataplaneInsight, mesh: default, name: dp-50-0, mTLS: {issuedBackend: ca}}"), IsEmpty());
  EXPECT_THAT(put("{type: DataplaneInsight, mesh: default, name: dp-50-0, mTLS: {issuedBackend: ca}, subscriptions: [{id: x}]}"),
              IsEmpty());
}

TEST_F(ConcernsTest, The_last_certificate_of_a_service_concerns_its_clients) {
  put("{type: DataplaneInsight, mesh: default, name: dp-50-0, mTLS: {issuedBackend: ca}}");
  EXPECT_THAT(put("{type: DataplaneInsight, mesh: default, name: dp-50-1, mTLS: {issuedBackend: ca}}"),
              ElementsAre("dp-48-0", "dp-48-1", "dp-49-0", "dp-49-1"));
}

TEST_F(ConcernsTest, A_policy_for_one_service_concerns_its_two_proxies_of_200) {
  constexpr char kPolicy[] =
      "{type: MeshTrafficPermission, mesh: default, name: p, spec: {targetRef: {kind: MeshService, name: svc-7}, from: "
      "[{targetRef: {kind: Mesh}, default: {action: Deny}}]}}";
  EXPECT_THAT(put(kPolicy), ElementsAre("dp-7-0", "dp-7-1"));
  EXPECT_THAT(put("{type: MeshTrafficPermission, mesh: default, name: p, spec: {targetRef: {kind: MeshService, name: svc-8}, from: "
                  "[{targetRef: {kind: Mesh}, default: {action: Deny}}]}}"),
              ElementsAre("dp-7-0", "dp-7-1", "dp-8-0", "dp-8-1"))
      << "those that it left and those that it came to";
  EXPECT_THAT(concerned(rig.remove("MeshTrafficPermission", "default", "p")), ElementsAre("dp-8-0", "dp-8-1"));
}

TEST_F(ConcernsTest, A_policy_for_a_subset_concerns_half_and_one_for_the_mesh_all) {
  EXPECT_THAT(put("{type: MeshTrafficPermission, mesh: default, name: p, spec: {targetRef: {kind: MeshSubset, tags: {half: h1}}, "
                  "from: [{targetRef: {kind: Mesh}, default: {action: Deny}}]}}"),
              SizeIs(100));
  EXPECT_THAT(put("{type: MeshTrafficPermission, mesh: default, name: q, spec: {targetRef: {kind: Mesh}, "
                  "from: [{targetRef: {kind: Mesh}, default: {action: Allow}}]}}"),
              SizeIs(200));
}

TEST_F(ConcernsTest, A_connection_policy_concerns_sources_that_talk_to_its_destination) {
  auto policy = [](std::string_view type, std::string_view conf) {
    return fmt::format("{{type: {}, mesh: default, name: p, sources: [{{match: {{kuma.io/service: '*', half: h1}}}}], destinations: "
                       "[{{match: {{kuma.io/service: svc-50}}}}], conf: {}}}",
                       type, conf);
  };
  EXPECT_THAT(put(policy("Timeout", "{connectTimeout: 1s}")), ElementsAre("dp-49-0", "dp-49-1"));
  EXPECT_THAT(put(policy("CircuitBreaker", "{thresholds: {maxConnections: 1}}")), ElementsAre("dp-49-0", "dp-49-1"));
  EXPECT_THAT(put(policy("Retry", "{http: {numRetries: 1}}")), ElementsAre("dp-49-0", "dp-49-1"));
  EXPECT_THAT(put(policy("TrafficRoute", "{destination: {kuma.io/service: svc-90}}")), ElementsAre("dp-49-0", "dp-49-1"));
  EXPECT_THAT(put(dataplane(90, 0, ", health: {ready: false}")),
              ElementsAre("dp-49-0", "dp-49-1", "dp-88-0", "dp-88-1", "dp-89-0", "dp-89-1", "dp-90-0"))
      << "who is routed to a service is its client";
}

TEST_F(ConcernsTest, A_permission_concerns_its_destinations) {
  EXPECT_THAT(put("{type: TrafficPermission, mesh: default, name: p, sources: [{match: {kuma.io/service: svc-1}}], destinations: "
                  "[{match: {kuma.io/service: svc-50}}]}"),
              ElementsAre("dp-50-0", "dp-50-1"));
}

TEST_F(ConcernsTest, The_mesh_concerns_everybody_and_other_meshes_nobody) {
  EXPECT_THAT(put("{type: Mesh, name: default, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}"), SizeIs(200));
  auto updates = rig.put("{type: Mesh, name: other}");
  std::erase_if(updates, [](const mesh::MeshUpdate& update) { return update.view->name != "default"; });
  EXPECT_THAT(concerned(updates), IsEmpty());
}

TEST_F(ConcernsTest, A_secret_that_no_configuration_has_concerns_nobody) {
  EXPECT_THAT(put("{type: Secret, mesh: default, name: dataplane-token-signing-key-default-1, data: eA==}"), IsEmpty());
}

TEST_F(ConcernsTest, A_zone_ingress_concerns_the_clients_of_what_it_offers) {
  EXPECT_THAT(put("{type: ZoneIngress, name: i, zone: east, networking: {address: 10.9.0.1, port: 10001, advertisedAddress: "
                  "192.0.2.1, advertisedPort: 10001}, availableServices: [{mesh: default, instances: 1, tags: {kuma.io/service: "
                  "svc-50, kuma.io/protocol: http}}]}"),
              ElementsAre("dp-48-0", "dp-48-1", "dp-49-0", "dp-49-1"));
}

}  // namespace
}  // namespace kuma::xds
