#include "xds/gen/generator.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "xds/gen/testing.h"

namespace kuma::xds {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kMesh[] = "{type: Mesh, name: default}\n---\n";
constexpr char kMtlsMesh[] =
    "{type: Mesh, name: default, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}\n---\n";
constexpr char kWeb[] =
    "{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, servicePort: 8080, tags: "
    "{kuma.io/service: web, kuma.io/protocol: http}}], outbound: [{port: 10001, tags: {kuma.io/service: backend}}]}}\n---\n";
constexpr char kBackend[] =
    "{type: Dataplane, mesh: default, name: backend-1, networking: {address: 10.0.0.2, inbound: [{port: 80, tags: "
    "{kuma.io/service: backend, kuma.io/protocol: http, version: v1}}]}}\n---\n";

class GenerateTest : public ::testing::Test {
 protected:
  std::vector<std::string> names(const json::object& config, std::string_view kind) {
    std::vector<std::string> found;
    for (const auto& resource : config.at(kind).get_object()) {
      found.emplace_back(resource.key());
    }
    return found;
  }
  // The message of the error that there has to be.
  std::string error(const absl::StatusOr<Generation>& generation) {
    EXPECT_FALSE(generation.ok());
    return std::string(message_of(generation.status()));
  }
  testing::Rig rig;
};

std::vector<std::string> versions(const Generation& generation) {
  std::vector<std::string> all;
  for (const auto& resources : generation.resources) {
    for (const GeneratedResource& resource : resources) {
      all.push_back(resource.wire->name + " " + resource.wire->version + " " + *resource.wire->any);
    }
  }
  return all;
}

// What can't be configured.

TEST_F(GenerateTest, A_proxy_without_a_dataplane_is_not_found) {
  rig.put(kMesh);
  auto generation = rig.generate("web-1");
  EXPECT_TRUE(absl::IsNotFound(generation.status()));
  EXPECT_EQ(error(generation), "the mesh \"default\" has no dataplane \"web-1\" with a usable address");
}

TEST_F(GenerateTest, Zone_proxies_without_a_resource_are_not_found) {
  rig.put(std::string(kMesh) + kWeb);
  for (ProxyType type : {ProxyType::ZoneIngress, ProxyType::ZoneEgress}) {
    ProxyInput proxy = testing::Rig::input("web-1");
    proxy.metadata.proxy_type = type;
    EXPECT_TRUE(absl::IsNotFound(rig.generate(proxy).status()));
  }
}

TEST_F(GenerateTest, An_admin_address_that_others_could_reach_is_refused) {
  rig.put(std::string(kMesh) + kWeb);
  ProxyInput proxy = testing::Rig::input("web-1");
  proxy.metadata.admin_address = "10.0.0.1";
  EXPECT_EQ(error(rig.generate(proxy)),
            R"(imports[0]{name="default-proxy"}: envoy admin cluster is not allowed to have addresses other than "", "0.0.0.0", )"
            R"("127.0.0.1", "::", "::1")");
}

TEST_F(GenerateTest, A_readiness_port_without_an_admin_address_is_refused) {
  rig.put(std::string(kMesh) + kWeb);
  ProxyInput proxy = testing::Rig::input("web-1");
  proxy.metadata.admin_address = "";
  EXPECT_TRUE(rig.generate(proxy).ok());
  proxy.metadata.readiness_port = 9902;
  EXPECT_EQ(error(rig.generate(proxy)),
            R"(imports[0]{name="default-proxy"}: the cluster kuma:readiness needs the admin address that the proxy did not tell)");
}

TEST_F(GenerateTest, A_mesh_whose_authority_is_lost_keeps_its_proxies_as_they_are) {
  rig.put(std::string(kMtlsMesh) + kWeb);
  EXPECT_TRUE(rig.generate("web-1").ok());
  rig.remove("Secret", "default", "default.ca-builtin-key-ca");
  auto generation = rig.generate("web-1");
  EXPECT_TRUE(absl::IsFailedPrecondition(generation.status()));
  EXPECT_EQ(error(generation),
            "failed to generate dataplane identity cert and CAs: the key of backend \"ca\" can't be loaded: the secret "
            "\"default.ca-builtin-key-ca\" does not exist in the mesh");
}

// Admin.

TEST_F(GenerateTest, Without_an_admin_port_there_is_no_admin) {
  rig.put(std::string(kMesh) + kWeb);
  ProxyInput proxy = testing::Rig::input("web-1");
  proxy.metadata.admin_port = 0;
  auto config = testing::to_json_object(*rig.generate(proxy));
  EXPECT_THAT(names(config, "clusters"), ElementsAre("backend", "localhost:8080"));
  EXPECT_THAT(names(config, "listeners"), ElementsAre("inbound:10.0.0.1:80", "outbound:127.0.0.1:10001"));
}

TEST_F(GenerateTest, The_admin_endpoint_listens_on_IPv6_loopback_when_told_so) {
  rig.put(std::string(kMesh) + kWeb);
  ProxyInput proxy = testing::Rig::input("web-1");
  proxy.metadata.admin_address = "::";
  auto config = testing::to_json_object(*rig.generate(proxy));
  EXPECT_THAT(to_json(config.at("clusters").at("kuma:envoy:admin")), ::testing::HasSubstr(R"("address":"::1")"));
}

TEST_F(GenerateTest, A_new_admin_certificate_makes_a_new_admin_listener) {
  rig.put(std::string(kMesh) + kWeb);
  ProxyInput proxy = testing::Rig::input("web-1");
  auto before = testing::to_json_object(*rig.generate(proxy));
  proxy.admin_tls.certificate_pem = "another";
  auto after = testing::to_json_object(*rig.generate(proxy));
  EXPECT_NE(before.at("listeners").at("kuma:envoy:admin"), after.at("listeners").at("kuma:envoy:admin"));
}

// Explanations.

std::vector<std::string> shaped_by(const Generation& generation, XdsType type, std::string_view name) {
  std::vector<std::string> texts;
  for (const GeneratedResource& resource : generation.resources[static_cast<size_t>(type)]) {
    if (resource.wire->name == name) {
      for (const PolicyRef& ref : resource.shaped_by) {
        texts.push_back(ref.type + " " + ref.name);
      }
    }
  }
  return texts;
}

TEST_F(GenerateTest, Each_resource_knows_the_policies_that_shaped_it) {
  rig.put(std::string(kMtlsMesh) + kWeb + kBackend +
          "{type: MeshTrafficPermission, mesh: default, name: some, spec: {targetRef: {kind: MeshService, name: backend}, from: "
          "[{targetRef: {kind: Mesh}, default: {action: Deny}}]}}");
  auto web = rig.generate("web-1");
  EXPECT_THAT(shaped_by(*web, XdsType::Cluster, "backend"),
              ElementsAre("CircuitBreaker circuit-breaker-all-default", "Timeout timeout-all-default",
                          "TrafficRoute route-all-default"));
  EXPECT_THAT(shaped_by(*web, XdsType::Listener, "outbound:127.0.0.1:10001"),
              ElementsAre("Retry retry-all-default", "Timeout timeout-all-default", "TrafficRoute route-all-default"));
  EXPECT_THAT(shaped_by(*web, XdsType::Listener, "inbound:10.0.0.1:80"), ElementsAre("TrafficPermission allow-all-default"));
  EXPECT_THAT(shaped_by(*web, XdsType::Endpoint, "backend"), IsEmpty());
  auto backend = rig.generate("backend-1");
  EXPECT_THAT(shaped_by(*backend, XdsType::Listener, "inbound:10.0.0.2:80"),
              Contains("MeshTrafficPermission some"));
}

TEST_F(GenerateTest, A_policy_that_can_not_be_used_is_left_out_and_told_once) {
  rig.put(std::string(kMesh) + kWeb + kBackend);
  const auto before = versions(*rig.generate("web-1"));
  rig.builder.apply(rig.store.put_unchecked(
      "MeshHealthCheck", {"default", "odd"},
      "{targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: {interval: 1s, healthyPanicThreshold: half, http: {}}}]}"));
  rig.put("{type: TrafficRoute, mesh: default, name: split, sources: [{match: {kuma.io/service: web}}], destinations: [{match: "
          "{kuma.io/service: backend}}], conf: {split: [{weight: 1, destination: {kuma.io/service: backend, version: v1}}, {weight: 2, "
          "destination: {kuma.io/service: backend, version: v2}}]}}");
  auto generation = rig.generate("web-1");
  EXPECT_THAT(generation->problems,
              ElementsAre(Problem{{"MeshHealthCheck", "odd", "default"},
                                  "default.healthyPanicThreshold: string has to be a valid number"}));
  rig.remove("TrafficRoute", "default", "split");
  EXPECT_EQ(versions(*rig.generate("web-1")), before);
}

TEST_F(GenerateTest, Services_that_were_looked_at_are_told) {
  rig.put(std::string(kMesh) + kWeb + kBackend);
  EXPECT_THAT(*rig.generate("web-1")->services, ElementsAre("backend"));
  EXPECT_THAT(*rig.generate("backend-1")->services, IsEmpty());
}

TEST_F(GenerateTest, Secrets_are_asked_for_only_under_mTLS) {
  rig.put(std::string(kMesh) + kWeb + kBackend);
  EXPECT_THAT(rig.generate("web-1")->secrets, IsEmpty());
  rig.put(kMtlsMesh);
  auto secrets = rig.generate("web-1")->secrets;
  ASSERT_THAT(secrets, SizeIs(2));
  EXPECT_EQ(secrets[0], (SecretRef{SecretRef::Kind::Identity, "default", "identity_cert:secret:default"}));
  EXPECT_EQ(secrets[1], (SecretRef{SecretRef::Kind::Ca, "default", "mesh_ca:secret:default"}));
}

// Same input, same bytes.

TEST_F(GenerateTest, Sharing_pieces_changes_no_byte) {
  rig.put(std::string(kMtlsMesh) + kWeb + kBackend);
  rig.put(
      "{type: TrafficRoute, mesh: default, name: split, sources: [{match: {kuma.io/service: web}}], destinations: [{match: "
      "{kuma.io/service: backend}}], conf: {http: [{match: {path: {prefix: /x}}, destination: {kuma.io/service: backend, "
      "version: v1}}], split: [{weight: 1, destination: {kuma.io/service: backend}}, {weight: 2, destination: {kuma.io/service: "
      "backend, version: v1}}]}}");
  for (int round = 0; round < 3; ++round) {
    for (const char* name : {"web-1", "backend-1"}) {
      EXPECT_EQ(versions(*rig.generate(testing::Rig::input(name), true)), versions(*rig.generate(testing::Rig::input(name), false)));
    }
    rig.put(fmt::format("{{type: Dataplane, mesh: default, name: backend-2, networking: {{address: 10.0.1.{}, inbound: [{{port: 80, "
                        "tags: {{kuma.io/service: backend, kuma.io/protocol: http}}}}]}}}}",
                        round + 1));
  }
}

TEST_F(GenerateTest, Proxies_that_reach_the_same_service_hold_one_buffer) {
  rig.put(std::string(kMesh) + kWeb + kBackend +
          "{type: Dataplane, mesh: default, name: web-2, networking: {address: 10.0.0.3, inbound: [{port: 80, tags: "
          "{kuma.io/service: other}}], outbound: [{port: 10009, tags: {kuma.io/service: backend}}]}}");
  auto first = rig.generate("web-1"), second = rig.generate("web-2");
  auto resource = [](const Generation& generation, XdsType type) {
    for (const GeneratedResource& one : generation.resources[static_cast<size_t>(type)]) {
      if (one.wire->name == "backend") {
        return one.wire;
      }
    }
    return WireResourcePtr();
  };
  ASSERT_NE(resource(*first, XdsType::Cluster), nullptr);
  EXPECT_EQ(resource(*first, XdsType::Cluster), resource(*second, XdsType::Cluster));
  EXPECT_EQ(resource(*first, XdsType::Endpoint), resource(*second, XdsType::Endpoint));
}

TEST_F(GenerateTest, The_view_of_a_plan_is_generated_like_any_other) {
  rig.put(std::string(kMesh) + kWeb + kBackend);
  auto before = versions(*rig.generate("web-1"));
  mesh::testing::TestStore imagined(testing::all_types());
  auto changes = imagined.put(
      "{type: Timeout, mesh: default, name: quick, sources: [{match: {kuma.io/service: web}}], destinations: [{match: "
      "{kuma.io/service: backend}}], conf: {connectTimeout: 1s}}");
  auto update = rig.builder.overlay("default", changes);
  auto planned = generate(*update.view, testing::Rig::input("web-1"), {.interner = rig.interner, .pieces = &rig.pieces});
  ASSERT_TRUE(planned.ok());
  EXPECT_THAT(shaped_by(*planned, XdsType::Cluster, "backend"), Contains("Timeout quick"));
  EXPECT_EQ(versions(*rig.generate("web-1")), before);
}

// Odd input.

TEST_F(GenerateTest, A_route_whose_weights_are_all_zero_leads_nowhere) {
  rig.put(std::string(kMesh) + kWeb + kBackend);
  // Validation refuses it; an older peer may still send it.
  rig.builder.apply(rig.store.put_unchecked(
      "TrafficRoute", {"default", "none"},
      "{sources: [{match: {kuma.io/service: web}}], destinations: [{match: {kuma.io/service: backend}}], conf: {split: [{weight: 0, "
      "destination: {kuma.io/service: backend}}]}}"));
  auto config = rig.config("web-1");
  EXPECT_THAT(names(config, "clusters"), Not(Contains("backend")));
  EXPECT_EQ(to_json(config.at("listeners").at("outbound:127.0.0.1:10001").at("filterChains")), "[{}]");
}

TEST_F(GenerateTest, Two_outbounds_on_one_address_are_one_listener_of_the_later_one) {
  rig.put(std::string(kMesh) + kBackend +
          "{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: "
          "{kuma.io/service: web}}], outbound: [{port: 1, tags: {kuma.io/service: a}}, {port: 1, tags: {kuma.io/service: b}}]}}");
  auto config = rig.config("web-1");
  EXPECT_THAT(to_json(config.at("listeners").at("outbound:127.0.0.1:1")), ::testing::HasSubstr(R"("cluster":"b")"));
}

TEST_F(GenerateTest, An_outbound_to_another_mesh_is_spoken_to_in_TCP) {
  rig.put(std::string(kMtlsMesh) +
          "{type: Mesh, name: other, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}\n---\n"
          "{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: "
          "{kuma.io/service: web}}], outbound: [{port: 1, tags: {kuma.io/service: xgw, kuma.io/mesh: other}}]}}");
  auto generation = rig.generate("web-1");
  EXPECT_THAT(generation->other_meshes, ElementsAre("other"));
  EXPECT_THAT(generation->secrets, Contains(SecretRef{SecretRef::Kind::Ca, "other", "mesh_ca:secret:other"}));
  EXPECT_THAT(to_json(testing::to_json_object(*generation).at("listeners").at("outbound:127.0.0.1:1")),
              AllOf(::testing::HasSubstr("tcp_proxy"), Not(::testing::HasSubstr("kuma.io/mesh"))));
}

TEST_F(GenerateTest, A_gateway_of_another_mesh_is_reached_at_its_listeners_that_are_for_all_meshes) {
  rig.put(std::string(kMtlsMesh) +
          "{type: Mesh, name: other, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}\n---\n"
          "{type: MeshGateway, mesh: other, name: xgw, selectors: [{match: {kuma.io/service: xgw}}], conf: {listeners: [{port: 8080, "
          "protocol: HTTP, crossMesh: true, tags: {door: left}}, {port: 8081, protocol: HTTP, crossMesh: true, tags: {door: right}}, "
          "{port: 8082, protocol: HTTP, tags: {door: left}}]}}\n---\n"
          "{type: Dataplane, mesh: other, name: xgw-1, networking: {address: 10.0.0.9, gateway: {type: BUILTIN, tags: "
          "{kuma.io/service: xgw}}}}\n---\n"
          "{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: "
          "{kuma.io/service: web}}], outbound: [{port: 1, tags: {kuma.io/service: xgw, kuma.io/mesh: other, door: left}}]}}");
  auto generation = rig.generate("web-1");
  const json::object config = testing::to_json_object(*generation);
  std::string cluster;
  for (const auto& list : config.at("endpoints").get_object()) {
    cluster = list.key();
  }
  EXPECT_THAT(cluster, AllOf(::testing::StartsWith("xgw-"), ::testing::EndsWith("_other")));
  EXPECT_THAT(to_json(config.at("endpoints").at(cluster)),
              AllOf(::testing::HasSubstr("10.0.0.9"), ::testing::HasSubstr("8080"), Not(::testing::HasSubstr("8081")),
                    Not(::testing::HasSubstr("8082"))));
  EXPECT_THAT(to_json(config.at("clusters").at(cluster)), AllOf(::testing::HasSubstr("spiffe://other/xgw"),
                                                                ::testing::HasSubstr("xgw{door=left,mesh=other}")));

  const auto updates = rig.put(
      "{type: Dataplane, mesh: other, name: xgw-2, networking: {address: 10.0.0.8, gateway: {type: BUILTIN, tags: {kuma.io/service: "
      "xgw}}}}");
  EXPECT_TRUE(std::ranges::any_of(updates, [&](const mesh::MeshUpdate& update) {
    return update.view->name == "default" && concerns(update.change, *update.view, {"default", "web-1"}, &*generation);
  }));
  EXPECT_THAT(to_json(rig.config("web-1").at("endpoints").at(cluster)), ::testing::HasSubstr("10.0.0.8"));
}

TEST_F(GenerateTest, A_builtin_gateway_without_a_MeshGateway_gets_its_admin_alone) {
  rig.put(std::string(kMesh) +
          "{type: Dataplane, mesh: default, name: gw-1, networking: {address: 10.0.0.1, gateway: {type: BUILTIN, tags: "
          "{kuma.io/service: gw}}}}");
  EXPECT_THAT(names(rig.config("gw-1"), "listeners"), ElementsAre("kuma:envoy:admin"));
}

}  // namespace
}  // namespace kuma::xds
