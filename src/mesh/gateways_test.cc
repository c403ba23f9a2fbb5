#include "mesh/gateways.h"

#include "base/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mesh/view_testing.h"

namespace kuma::mesh {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The mesh `inner` has a gateway that others may use; the mesh `outer` looks at it.
class GatewaysTest : public ::testing::Test {
 protected:
  GatewaysTest() {
    mesh("inner", true);
    mesh("outer", true);
    gateway("{port: 8080, protocol: HTTP, crossMesh: true, tags: {door: left}}, {port: 8081, protocol: HTTP}");
    put(instance("1"));
  }

  std::vector<MeshUpdate> put(const std::string& yaml) { return builder.apply(store.put(yaml)); }
  void mesh(const std::string& name, bool mtls, bool egress = false) {
    put(fmt::format("{{type: Mesh, name: {}{}{}}}", name,
                    mtls ? ", mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}" : "",
                    egress ? ", routing: {zoneEgress: true}" : ""));
  }
  std::vector<MeshUpdate> gateway(const std::string& listeners) {
    return put("{type: MeshGateway, mesh: inner, name: hatch, selectors: [{match: {kuma.io/service: hatch}}], tags: {of: gateway, "
               "door: front}, conf: {listeners: [" + listeners + "]}}");
  }
  static std::string instance(const std::string& number) {
    return fmt::format("{{type: Dataplane, mesh: inner, name: hatch-{0}, networking: {{address: 10.0.0.{0}, gateway: {{type: BUILTIN, "
                       "tags: {{kuma.io/service: hatch, of: dataplane}}}}}}}}",
                       number);
  }
  static std::string ingress(const std::string& zone, const std::string& address, int instances) {
    return fmt::format("{{type: ZoneIngress, name: {0}, zone: {0}, networking: {{address: {1}, port: 10001, advertisedAddress: {1}, "
                       "advertisedPort: 10001}}, availableServices: [{{mesh: inner, instances: {2}, tags: {{kuma.io/service: hatch, "
                       "kuma.io/mesh: inner, door: left}}}}, {{mesh: inner, instances: 9, tags: {{kuma.io/service: other}}}}]}}",
                       zone, address, instances);
  }

  std::vector<std::string> seen_from(const std::string& mesh) {
    std::vector<std::string> lines;
    auto view = builder.find(mesh);
    auto other = view->other_meshes.find("inner");
    if (other == view->other_meshes.end() || other->second.gateways == nullptr) {
      return lines;
    }
    for (const auto& [name, service] : *other->second.gateways) {
      for (const EndpointPtr& endpoint : service->endpoints) {
        std::string line = fmt::format("{} {} w{}", name, join_host_port(endpoint->address, endpoint->port), endpoint->weight);
        for (const auto& [key, value] : endpoint->tags) {
          line += key == kServiceTag || key == kMeshTag ? "" : fmt::format(" {}={}", key, value);
        }
        lines.push_back(std::move(line));
      }
    }
    return lines;
  }

  testing::TestStore store{model::core_types()};
  ViewBuilder builder{store.registry(), {.zone = "here", .read_file = nullptr}};
};

TEST_F(GatewaysTest, Other_meshes_see_the_listeners_that_are_for_them) {
  EXPECT_THAT(seen_from("outer"), ElementsAre("hatch 10.0.0.1:8080 w1 door=left of=gateway"));
  put(instance("2"));
  EXPECT_THAT(seen_from("outer"), ElementsAre("hatch 10.0.0.1:8080 w1 door=left of=gateway", "hatch 10.0.0.2:8080 w1 door=left of=gateway"));
  mesh("third", false);
  EXPECT_EQ(seen_from("third"), seen_from("outer")) << "a mesh that comes later is told too";
}

TEST_F(GatewaysTest, Nothing_is_seen_without_mTLS_a_listener_for_all_or_an_instance) {
  mesh("inner", false);
  EXPECT_THAT(seen_from("outer"), IsEmpty()) << "the gateway leaves these listeners out";
  mesh("inner", true);
  EXPECT_EQ(seen_from("outer").size(), 1U);
  gateway("{port: 8080, protocol: HTTP}");
  EXPECT_THAT(seen_from("outer"), IsEmpty());
  gateway("{port: 8080, protocol: HTTP, crossMesh: true}");
  builder.apply(store.remove("Dataplane", "inner", "hatch-1"));
  EXPECT_THAT(seen_from("outer"), IsEmpty());
}

TEST_F(GatewaysTest, A_change_is_told_to_other_meshes_once_and_no_other_change_is) {
  auto updates = put(instance("2"));
  ASSERT_EQ(updates.size(), 2U);
  EXPECT_EQ(updates[1].view->name, "outer");
  EXPECT_THAT(updates[1].change.other_meshes, ElementsAre("inner"));
  EXPECT_FALSE(updates[1].change.mesh);
  EXPECT_EQ(put(instance("2")).size(), 0U);
  EXPECT_EQ(put("{type: Dataplane, mesh: inner, name: web-1, networking: {address: 10.0.0.9, inbound: [{port: 80, tags: "
                "{kuma.io/service: web}}]}}")
                .size(),
            1U)
      << "an ordinary dataplane is nothing to them";
}

TEST_F(GatewaysTest, Gateways_of_other_zones_are_behind_their_ingresses_and_count_for_all_their_instances) {
  put(ingress("there", "1.1.1.1", 3));
  put(ingress("far", "1.1.1.2", 2));
  EXPECT_THAT(seen_from("outer"), ElementsAre("hatch 1.1.1.2:10001 w2 door=left", "hatch 1.1.1.1:10001 w3 door=left",
                                              "hatch 10.0.0.1:8080 w2 door=left of=gateway"));
}

TEST_F(GatewaysTest, The_way_is_through_egresses_when_both_meshes_use_them) {
  put(ingress("there", "1.1.1.1", 3));
  put("{type: ZoneEgress, name: e, networking: {address: 2.2.2.2, port: 10002}}");
  mesh("outer", true, true);
  EXPECT_THAT(seen_from("outer"), ElementsAre("hatch 1.1.1.1:10001 w3 door=left", "hatch 10.0.0.1:8080 w1 door=left of=gateway"))
      << "an egress lets nobody through for a mesh that does not use it";
  mesh("inner", true, true);
  EXPECT_THAT(seen_from("outer"), ElementsAre("hatch 2.2.2.2:10002 w1 door=left", "hatch 10.0.0.1:8080 w1 door=left of=gateway"));
  mesh("outer", true, false);
  EXPECT_THAT(seen_from("outer"), ElementsAre("hatch 1.1.1.1:10001 w3 door=left", "hatch 10.0.0.1:8080 w1 door=left of=gateway"));
}

TEST_F(GatewaysTest, An_overlay_of_one_mesh_shows_the_gateways_of_others_as_they_are) {
  const auto before = seen_from("outer");
  testing::TestStore imagined(model::core_types());
  auto changes = imagined.put(ingress("there", "1.1.1.1", 3));
  MeshUpdate update = builder.overlay("outer", changes);
  ASSERT_NE(update.view->other_meshes.at("inner").gateways, nullptr);
  EXPECT_EQ(update.view->other_meshes.at("inner").gateways->at("hatch")->endpoints.size(), 1U);
  EXPECT_EQ(seen_from("outer"), before);
}

}  // namespace
}  // namespace kuma::mesh
