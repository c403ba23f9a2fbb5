#include "policy/reachability.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mesh/view_testing.h"
#include "policy/policy.h"

namespace kuma::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ReachabilityTest : public ::testing::Test {
 protected:
  ReachabilityTest() {
    put("{type: Mesh, name: m}");
    for (const char* service : {"api", "db", "web"}) {
      put(fmt::format("{{type: Dataplane, mesh: m, name: {0}-1, networking: {{address: 10.0.0.1, inbound: [{{port: 80, tags: {{kuma.io/service: {0}, "
                      "version: v1, k8s.kuma.io/namespace: ns-{0}}}}}]}}}}",
                      service));
    }
  }

  static std::vector<model::ResourceType> types() {
    auto all = model::core_types();
    for (model::ResourceType& type : policy_types()) {
      all.push_back(std::move(type));
    }
    return all;
  }
  void put(const std::string& yaml) { builder.apply(store.put(yaml)); }
  void permit(std::string_view name, std::string_view target, std::string_view from) {
    put(fmt::format("{{type: MeshTrafficPermission, mesh: m, name: {}, spec: {{targetRef: {{{}}}, from: [{}]}}}}", name, target, from));
  }
  static std::string item(std::string_view target, std::string_view action) {
    return fmt::format("{{targetRef: {{{}}}, default: {{action: {}}}}}", target, action);
  }

  std::vector<std::string> reached(const std::vector<mesh::Tags>& from) {
    ReachGraph graph(*builder.find("m"), &cache);
    ReachableServices reachable(graph, from);
    std::vector<std::string> services;
    for (const char* service : {"api", "db", "web", "unknown"}) {
      if (reachable.contains({{"kuma.io/service", service}, {"version", "v7"}})) {
        services.push_back(service);
      }
    }
    return services;
  }

  mesh::testing::TestStore store{types()};
  mesh::ViewBuilder builder{store.registry(), mesh::ViewOptions{.zone = "", .read_file = nullptr, .auto_reachable = true}};
  RuleCache cache;
  const std::vector<mesh::Tags> client{{{"kuma.io/service", "client"}, {"team", "a"}}};
};

TEST_F(ReachabilityTest, Without_permissions_nothing_is_reached_but_other_meshes) {
  EXPECT_THAT(reached(client), IsEmpty());
  put("{type: TrafficPermission, mesh: m, name: all, sources: [{match: {kuma.io/service: '*'}}], destinations: [{match: {kuma.io/service: '*'}}]}");
  EXPECT_THAT(reached(client), IsEmpty()) << "those of the older kind are not looked at";
  ReachGraph graph(*builder.find("m"), nullptr);
  EXPECT_TRUE(ReachableServices(graph, client).contains({{"kuma.io/service", "gate"}, {"kuma.io/mesh", "other"}}));
}

TEST_F(ReachabilityTest, Everybody_reaches_what_everybody_is_let_into) {
  permit("all", "kind: Mesh", item("kind: Mesh", "Allow"));
  EXPECT_THAT(reached(client), ElementsAre("api", "db", "web")) << "a service that nobody offers has no rules";
  permit("db", "kind: MeshService, name: db", item("kind: Mesh", "Deny"));
  EXPECT_THAT(reached(client), ElementsAre("api", "web"));
  permit("db", "kind: MeshService, name: db", item("kind: Mesh", "AllowWithShadowDeny"));
  EXPECT_THAT(reached(client), ElementsAre("api", "db", "web"));
}

TEST_F(ReachabilityTest, Any_of_the_clients_inbounds_will_do) {
  permit("api", "kind: MeshService, name: api", item("kind: MeshSubset, tags: {team: b}", "Allow"));
  permit("db", "kind: MeshService, name: db", item("kind: MeshService, name: client", "Allow"));
  EXPECT_THAT(reached(client), ElementsAre("db"));
  EXPECT_THAT(reached({client.front(), {{"kuma.io/service", "second"}, {"team", "b"}}}), ElementsAre("api", "db"));
  EXPECT_THAT(reached({}), IsEmpty());
}

TEST_F(ReachabilityTest, Of_what_a_permission_selects_only_names_and_Kubernetes_tags_count) {
  permit("one", "kind: MeshSubset, tags: {version: v9}", item("kind: Mesh", "Allow"));
  EXPECT_THAT(reached(client), ElementsAre("api", "db", "web")) << "wider than what servers enforce, never narrower";
  permit("one", "kind: MeshSubset, tags: {version: v9, k8s.kuma.io/namespace: ns-db}", item("kind: Mesh", "Allow"));
  EXPECT_THAT(reached(client), ElementsAre("db"));
  permit("one", "kind: MeshServiceSubset, name: web, tags: {version: v9, k8s.kuma.io/namespace: ns-db}", item("kind: Mesh", "Allow"));
  EXPECT_THAT(reached(client), IsEmpty());
}

TEST_F(ReachabilityTest, A_client_without_a_tag_that_rules_tell_apart_is_in_none_of_them) {
  permit("db", "kind: MeshService, name: db", item("kind: MeshSubset, tags: {team: a}", "Deny") + ", " + item("kind: MeshService, name: other", "Allow"));
  EXPECT_THAT(reached({{{"kuma.io/service", "other"}}}), IsEmpty()) << "as the reference has it";
  EXPECT_THAT(reached({{{"kuma.io/service", "other"}, {"team", "b"}}}), ElementsAre("db"));
}

TEST_F(ReachabilityTest, A_graph_is_of_the_views_with_the_same_permissions_and_services) {
  permit("all", "kind: Mesh", item("kind: Mesh", "Allow"));
  ReachGraph graph(*builder.find("m"), &cache);
  EXPECT_EQ(graph.rules_of("api"), graph.rules_of("db")) << "made once for both";
  put("{type: Timeout, mesh: m, name: t, sources: [{match: {kuma.io/service: '*'}}], destinations: [{match: {kuma.io/service: '*'}}], conf: "
      "{connectTimeout: 1s}}");
  EXPECT_TRUE(graph.is_of(*builder.find("m")));
  put("{type: Dataplane, mesh: m, name: new, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: new}}]}}");
  EXPECT_FALSE(graph.is_of(*builder.find("m")));
  ReachGraph second(*builder.find("m"), &cache);
  permit("all", "kind: Mesh", item("kind: Mesh", "Deny"));
  EXPECT_FALSE(second.is_of(*builder.find("m")));
}

}  // namespace
}  // namespace kuma::policy
