#include "policy/target_ref.h"

#include "gtest/gtest.h"

namespace kuma::policy {
namespace {

TEST(TargetRef, Is_read_with_its_name_and_tags) {
  auto target = parse_target_ref(
      json::value{{"kind", "MeshServiceSubset"}, {"name", "web"}, {"tags", {{"version", "v1"}, {"env", "prod"}}}});
  ASSERT_TRUE(target);
  EXPECT_EQ(target->kind, TargetKind::MeshServiceSubset);
  EXPECT_EQ(target->name, "web");
  EXPECT_EQ(target->tags, (mesh::Tags{{"env", "prod"}, {"version", "v1"}}));
}

TEST(TargetRef, An_unknown_kind_or_no_targetRef_at_all_is_nothing) {
  EXPECT_FALSE(parse_target_ref(json::value{{"kind", "MeshMoon"}}));
  EXPECT_FALSE(parse_target_ref(json::value{{"name", "web"}}));
  EXPECT_FALSE(parse_target_ref(json::value("Mesh")));
  EXPECT_FALSE(parse_target_ref(json::value{{"from", 1}}, "targetRef"));
  EXPECT_TRUE(parse_target_ref(json::value{{"targetRef", {{"kind", "Mesh"}}}}, "targetRef"));
}

TEST(TargetRef, Selects_tags_by_kind) {
  mesh::Tags web = {{"kuma.io/service", "web"}, {"version", "v1"}};
  EXPECT_TRUE(selects_tags({TargetKind::Mesh, "", {}}, web));
  EXPECT_TRUE(selects_tags({TargetKind::MeshSubset, "", {}}, web));
  EXPECT_TRUE(selects_tags({TargetKind::MeshSubset, "", {{"version", "v1"}}}, web));
  EXPECT_FALSE(selects_tags({TargetKind::MeshSubset, "", {{"version", "v2"}}}, web));
  EXPECT_FALSE(selects_tags({TargetKind::MeshSubset, "", {{"other", "v1"}}}, web));
  EXPECT_TRUE(selects_tags({TargetKind::MeshService, "web", {}}, web));
  EXPECT_FALSE(selects_tags({TargetKind::MeshService, "api", {}}, web));
  EXPECT_TRUE(selects_tags({TargetKind::MeshServiceSubset, "web", {{"version", "v1"}}}, web));
  EXPECT_FALSE(selects_tags({TargetKind::MeshServiceSubset, "api", {{"version", "v1"}}}, web));
  EXPECT_FALSE(selects_tags({TargetKind::MeshServiceSubset, "web", {{"version", "v2"}}}, web));
  EXPECT_FALSE(selects_tags({TargetKind::MeshGateway, "web", {}}, web));
  EXPECT_FALSE(selects_tags({TargetKind::MeshHTTPRoute, "web", {}}, web));
}

TEST(TargetRef, A_synced_name_ends_with_a_readable_hash_and_is_bounded) {
  std::string name = synced_name("default", "route");
  EXPECT_EQ(name.size(), 5 + 1 + 16U);
  EXPECT_TRUE(name.starts_with("route-"));
  EXPECT_EQ(name.find_first_not_of("bcdfghjklmnpqrstvwxz2456789", 6), std::string::npos);
  EXPECT_NE(synced_name("other", "route"), name);
  EXPECT_EQ(synced_name("default", std::string(300, 'a')).size(), 236 + 1 + 16U);
}

}  // namespace
}  // namespace kuma::policy
