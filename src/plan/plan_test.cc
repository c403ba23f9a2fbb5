#include "plan/plan.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "xds/gen/testing.h"

namespace kuma::plan {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Three services, the first of which is the others' client; a mesh with mTLS.
class PlanTest : public ::testing::Test {
 protected:
  PlanTest() {
    rig.put(R"(
type: Mesh
name: default
mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}
)");
    dataplane("web", 1, "outbound: [{port: 10001, tags: {kuma.io/service: backend}}, {port: 10002, tags: {kuma.io/service: redis}}]");
    dataplane("backend", 2, "");
    dataplane("redis", 3, "");
  }

  void dataplane(const std::string& service, int number, const std::string& rest) {
    rig.put(fmt::format("type: Dataplane\nmesh: default\nname: {0}-1\nnetworking:\n  address: 10.0.0.{1}\n  inbound: [{{port: 80, tags: "
                        "{{kuma.io/service: {0}, kuma.io/protocol: http}}}}]\n  {2}\n",
                        service, number, rest));
  }

  Plan plan_of(const std::string& yaml, const Limits& limits = {}) {
    mesh::testing::TestStore scratch = rig.store;
    return make_plan(rig.builder.overlay("default", scratch.put(yaml)), limits);
  }
  Plan plan_without(std::string_view type, const std::string& name) {
    mesh::testing::TestStore scratch = rig.store;
    return make_plan(rig.builder.overlay("default", scratch.remove(type, "default", name)));
  }

  static std::string permission(std::string_view name, std::string_view service, std::string_view client, std::string_view action) {
    return fmt::format("type: MeshTrafficPermission\nmesh: default\nname: {}\nspec: {{targetRef: {{kind: MeshService, name: {}}}, from: "
                       "[{{targetRef: {{kind: MeshService, name: {}}}, default: {{action: {}}}}}]}}\n",
                       name, service, client, action);
  }

  xds::testing::Rig rig;
};

TEST_F(PlanTest, Many_dataplanes_on_several_threads_make_the_same_plan_each_time) {
  constexpr int kMore = 100;
  for (int i = 0; i < kMore; ++i) {
    dataplane(fmt::format("more-{}", i), 10 + i, fmt::format("outbound: [{{port: 10001, tags: {{kuma.io/service: more-{}}}}}]", (i + 1) % kMore));
  }
  const std::string change = "type: MeshTimeout\nmesh: default\nname: t\nspec: {targetRef: {kind: Mesh}, to: [{targetRef: {kind: Mesh}, default: "
                             "{connectionTimeout: 3s}}]}\n";
  const Plan first = plan_of(change);
  EXPECT_EQ(first.dataplanes_changed, static_cast<size_t>(kMore) + 3) << "inbounds of what it selects change too";
  EXPECT_EQ(first.dataplanes_unchanged, 0U);
  const json::object text = to_json_object(first);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(to_json_object(plan_of(change)), text);
  }
}

TEST_F(PlanTest, Says_that_nothing_would_change_when_the_policy_is_stored_already) {
  rig.put(permission("p", "backend", "web", "Allow"));
  Plan plan = plan_of(permission("p", "backend", "web", "Allow"));
  EXPECT_EQ(plan.dataplanes_changed, 0U);
  EXPECT_THAT(plan.differences, IsEmpty());
  EXPECT_THAT(plan.effects, IsEmpty());
  EXPECT_THAT(plan.warnings, IsEmpty());
}

TEST_F(PlanTest, Tells_the_dataplanes_and_resources_that_would_be_others) {
  Plan plan = plan_of(permission("p", "backend", "web", "Allow"));
  EXPECT_EQ(plan.dataplanes_changed, 1U);
  EXPECT_EQ(plan.dataplanes_unchanged, 2U);
  EXPECT_THAT(plan.changed.first, ElementsAre("backend-1"));
  ASSERT_EQ(plan.differences.size(), 1U);
  const Difference& difference = plan.differences[0];
  EXPECT_EQ(difference.kind, "listener");
  EXPECT_EQ(difference.name, "inbound:10.0.0.2:80");
  EXPECT_EQ(difference.action, "changed");
  EXPECT_FALSE(difference.lines.list.empty());
  EXPECT_THAT(difference.lines.list[0].path, HasSubstr("filterChains[0].filters[0].typedConfig.rules.policies"));
  EXPECT_THAT(difference.dataplanes.first, ElementsAre("backend-1"));
}

TEST_F(PlanTest, Groups_dataplanes_with_the_same_difference_and_counts_those_that_it_does_not_name) {
  for (int i = 2; i < 8; ++i) {
    rig.put(fmt::format("type: Dataplane\nmesh: default\nname: web-{0}\nnetworking:\n  address: 10.0.1.{0}\n  inbound: [{{port: 80, tags: "
                        "{{kuma.io/service: web, kuma.io/protocol: http}}}}]\n  outbound: [{{port: 10001, tags: {{kuma.io/service: backend}}}}, {{port: "
                        "10002, tags: {{kuma.io/service: redis}}}}]\n", i));
  }
  Limits limits;
  limits.dataplanes_max = 2;
  mesh::testing::TestStore scratch = rig.store;
  Plan plan = make_plan(rig.builder.overlay("default", scratch.put("type: Dataplane\nmesh: default\nname: backend-2\nnetworking:\n  address: 10.0.0.9\n  "
                                                                   "inbound: [{port: 80, tags: {kuma.io/service: backend, kuma.io/protocol: http}}]\n")),
                        limits);
  EXPECT_EQ(plan.dataplanes_changed, 8U);  // the clients, and the new one
  auto endpoints = std::ranges::find_if(plan.differences, [](const Difference& d) { return d.kind == "endpoints" && d.name == "backend"; });
  ASSERT_NE(endpoints, plan.differences.end());
  EXPECT_EQ(endpoints->dataplanes.count, 7U);
  EXPECT_THAT(endpoints->dataplanes.first, ElementsAre("web-1", "web-2"));
}

TEST_F(PlanTest, Says_which_policy_loses_and_which_wins) {
  rig.put(permission("a", "backend", "web", "Allow"));
  Plan plan = plan_of(permission("b", "backend", "web", "Deny"));
  ASSERT_EQ(plan.effects.size(), 1U);
  const Effect& effect = plan.effects[0];
  EXPECT_EQ(effect.type, "MeshTrafficPermission");
  EXPECT_EQ(effect.list, "from");
  EXPECT_EQ(effect.subset, "kuma.io/service=web");
  EXPECT_EQ(effect.path, "action");
  EXPECT_EQ(effect.loses, "a");
  EXPECT_EQ(effect.wins, "b");
  EXPECT_EQ(effect.before, json::value("Allow"));
  EXPECT_EQ(effect.after, json::value("Deny"));
  EXPECT_THAT(effect.dataplanes.first, ElementsAre("backend-1"));
}

TEST_F(PlanTest, Warns_of_a_target_that_selects_nothing_and_of_a_service_that_nothing_offers) {
  Plan plan = plan_of(permission("p", "nobody", "ghost", "Allow"));
  EXPECT_EQ(plan.dataplanes_changed, 0U);
  EXPECT_THAT(plan.warnings,
              UnorderedElementsAre("MeshTrafficPermission \"p\" targets MeshService \"nobody\", which selects no dataplane: it does nothing",
                                   "from[0] of MeshTrafficPermission \"p\" is for the service \"ghost\", which nothing offers"));
}

TEST_F(PlanTest, Warns_of_a_service_without_any_allowed_client_but_not_when_it_had_none_before) {
  EXPECT_THAT(plan_of(permission("p", "backend", "web", "Deny")).warnings,
              Contains("no client could reach the service \"backend\" any more: nothing permits it"));
  EXPECT_THAT(plan_without("TrafficPermission", "allow-all-default").warnings,
              Contains("no client could reach the service \"redis\" any more: nothing permits it"));
  rig.put(permission("p", "backend", "web", "Deny"));
  EXPECT_THAT(plan_of(permission("q", "backend", "web", "Deny")).warnings, IsEmpty());
}

TEST_F(PlanTest, Tells_what_of_it_was_left_out) {
  Limits limits;
  limits.differences_max = 1;
  limits.effects_max = 0;
  Plan plan = plan_of(permission("p", "backend", "web", "Allow") + "---\n" + permission("q", "redis", "web", "Allow"), limits);
  EXPECT_EQ(plan.differences.size(), 1U);
  EXPECT_EQ(plan.differences_left_out, 1U);
  EXPECT_EQ(plan.effects_left_out, 2U);
}

TEST(Difference, Matches_the_elements_of_lists_by_what_they_hold) {
  auto value = [](std::string_view text) { return parse_json(text).value(); };
  EXPECT_THAT(difference(value("[1,2,3]"), value("[0,1,2,3]"), 9).list, ElementsAre(Line{"[0]", nullptr, 0}));
  EXPECT_THAT(difference(value("[1,2,3]"), value("[1,3]"), 9).list, ElementsAre(Line{"[1]", 2, nullptr}));
  EXPECT_THAT(difference(value(R"({"a":{"b":[1,{"c":2}]}})"), value(R"({"a":{"b":[1,{"c":3,"d":4}]}})"), 9).list,
              ElementsAre(Line{"a.b[1].c", 2, 3}, Line{"a.b[1].d", nullptr, 4}));
  Lines cut = difference(value("[1,2]"), value("[3,4]"), 1);
  EXPECT_EQ(cut.list.size(), 1U);
  EXPECT_TRUE(cut.more);
  EXPECT_THAT(difference(nullptr, nullptr, 9).list, IsEmpty());
}

}  // namespace
}  // namespace kuma::plan
