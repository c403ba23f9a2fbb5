// How views take in VIP tables, and what automatic reachability needs.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mesh/view_builder.h"
#include "mesh/view_testing.h"

namespace kuma::mesh {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

class VipsViewTest : public ::testing::Test {
 protected:
  std::vector<MeshUpdate> put(const std::string& yaml) { return builder.apply(store.put(yaml)); }
  MeshUpdate only(std::vector<MeshUpdate> updates) {
    EXPECT_THAT(updates, SizeIs(1));
    return updates.empty() ? MeshUpdate{} : std::move(updates.front());
  }
  static std::string table(std::string_view service, std::string_view address) {
    return fmt::format("{{type: Config, name: kuma-m-dns-vips, config: '{{\"0:{0}\": {{\"address\": \"{1}\", \"outbounds\": [{{\"Port\": 0, "
                       "\"TagSet\": {{\"kuma.io/service\": \"{0}\"}}, \"Origin\": \"service\"}}]}}}}'}}",
                       service, address);
  }
  static std::string dataplane(std::string_view name, std::string_view tags) {
    return fmt::format("{{type: Dataplane, mesh: m, name: {}, networking: {{address: 10.0.0.1, inbound: [{{port: 80, tags: {{{}}}}}]}}}}", name, tags);
  }

  testing::TestStore store{model::core_types()};
  ViewBuilder builder{store.registry(),
                      ViewOptions{.zone = "", .read_file = nullptr, .vip_naming = {.domain = "corp", .service_port = 81}, .auto_reachable = true}};
};

TEST_F(VipsViewTest, A_table_belongs_to_its_mesh_before_and_after_it) {
  EXPECT_THAT(put(table("a", "240.0.0.0")), IsEmpty()) << "no mesh yet";
  auto update = only(put("{type: Mesh, name: m}"));
  EXPECT_THAT(update.view->vips->names.at("240.0.0.0"), ElementsAre("a.corp"));
  EXPECT_EQ(update.view->vips->outbounds.front().port, 81);
  EXPECT_THAT(update.change.vip_services, ElementsAre("a"));
  EXPECT_THAT(put("{type: Config, name: kuma-cluster-id, config: x}"), IsEmpty());
  EXPECT_THAT(put(table("a", "240.0.0.0")), IsEmpty()) << "nothing new";
}

TEST_F(VipsViewTest, A_change_says_which_services_it_is_about) {
  put("{type: Mesh, name: m}");
  put(table("a", "240.0.0.0"));
  auto before = builder.find("m")->vips;
  auto update = only(put(table("b", "240.0.0.0")));
  EXPECT_THAT(update.change.vip_services, ElementsAre("a", "b"));
  EXPECT_FALSE(update.change.mesh);
  EXPECT_TRUE(before->names.contains("240.0.0.0")) << "whoever holds the old one may go on with it";
  EXPECT_THAT(only(builder.apply(store.remove("Config", "", "kuma-m-dns-vips"))).change.vip_services, ElementsAre("b"));
  EXPECT_EQ(builder.find("m")->vips, nullptr);
}

TEST_F(VipsViewTest, A_table_that_cannot_be_read_changes_nothing) {
  put("{type: Mesh, name: m}");
  put(table("a", "240.0.0.0"));
  EXPECT_THAT(put("{type: Config, name: kuma-m-dns-vips, config: '{'}"), IsEmpty());
  EXPECT_TRUE(builder.find("m")->vips->has_address("240.0.0.0"));
}

TEST_F(VipsViewTest, Of_a_services_tags_the_first_instances_count_and_of_those_what_Kubernetes_gives) {
  put("{type: Mesh, name: m}");
  EXPECT_THAT(*builder.find("m")->reach_tags, IsEmpty());
  auto update = only(put(dataplane("b", "kuma.io/service: s, k8s.kuma.io/namespace: late, version: v2")));
  EXPECT_TRUE(update.change.reach);
  update = only(put(dataplane("a", "kuma.io/service: s, k8s.kuma.io/namespace: early, version: v1")));
  EXPECT_TRUE(update.change.reach);
  EXPECT_THAT(*update.view->reach_tags, ElementsAre(Pair("s", ElementsAre(Pair("k8s.kuma.io/namespace", "early")))));
  auto same = update.view->reach_tags;
  update = only(put(dataplane("a", "kuma.io/service: s, k8s.kuma.io/namespace: early, version: v3")));
  EXPECT_FALSE(update.change.reach);
  EXPECT_EQ(update.view->reach_tags, same);
  put("{type: ZoneIngress, name: i, zone: far, networking: {address: 10.0.0.9, port: 1}, availableServices: [{mesh: m, instances: 1, tags: "
      "{kuma.io/service: remote, k8s.kuma.io/service-name: r}}, {mesh: other, instances: 1, tags: {kuma.io/service: no}}]}");
  put("{type: ExternalService, mesh: m, name: e, networking: {address: 'e.test:80'}, tags: {kuma.io/service: outside}}");
  EXPECT_THAT(*builder.find("m")->reach_tags,
              ElementsAre(Pair("outside", IsEmpty()), Pair("remote", ElementsAre(Pair("k8s.kuma.io/service-name", "r"))),
                          Pair("s", ElementsAre(Pair("k8s.kuma.io/namespace", "early")))));
  builder.apply(store.remove("Dataplane", "m", "a"));
  builder.apply(store.remove("ExternalService", "m", "e"));
  builder.apply(store.remove("ZoneIngress", "", "i"));
  EXPECT_THAT(*builder.find("m")->reach_tags, ElementsAre(Pair("s", ElementsAre(Pair("k8s.kuma.io/namespace", "late")))));
}

TEST_F(VipsViewTest, Nothing_is_kept_for_reachability_when_it_is_off) {
  ViewBuilder off(store.registry(), ViewOptions{});
  off.apply(store.put("{type: Mesh, name: m}"));
  auto update = only(off.apply(store.put(dataplane("a", "kuma.io/service: s"))));
  EXPECT_FALSE(update.change.reach);
  EXPECT_EQ(update.view->reach_tags, nullptr);
}

}  // namespace
}  // namespace kuma::mesh
