#include "policy/matched.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mesh/view_testing.h"
#include "model/json_schema.h"

namespace kuma::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The engine knows no policy by name: one that nobody has ever heard of is matched like all others.
model::ResourceType imagined_type(std::string_view name, bool has_from, bool has_to) {
  static const model::JsonSchema kAny = model::any();
  model::ResourceType type;
  type.name = name;
  type.path = name;
  type.is_policy = type.is_target_ref = true;
  type.has_from = has_from;
  type.has_to = has_to;
  type.schema = &kAny;
  return type;
}

class MatchedTest : public ::testing::Test {
 protected:
  MatchedTest() : store(types()), builder(store.registry(), mesh::ViewOptions{}) {
    put("{type: Mesh, name: default}\n---\n"
        "{type: Dataplane, mesh: default, name: web-1, networking: {address: 10.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: "
        "web, version: v1}}, {port: 81, address: 10.0.0.9, tags: {kuma.io/service: web-admin}}, {port: 82, state: Ignored, tags: "
        "{kuma.io/service: old}}]}}");
  }

  static std::vector<model::ResourceType> types() {
    auto all = model::core_types();
    all.push_back(imagined_type("MeshBoth", true, true));
    all.push_back(imagined_type("MeshSingle", false, false));
    all.push_back(imagined_type("MeshHTTPRoute", false, true));
    return all;
  }

  void put(const std::string& yaml) { builder.apply(store.put(yaml)); }
  void policy(std::string_view name, std::string_view target, std::string_view rest) {
    put(fmt::format("{{type: MeshBoth, mesh: default, name: {}, spec: {{targetRef: {{{}}}, {}}}}}", name, target, rest));
  }
  MatchedPolicies match(std::string_view type = "MeshBoth", const std::string& dataplane = "web-1", RuleCache* cache = nullptr) {
    auto view = builder.find("default");
    ProxyPolicies policies(*view, *view->find_dataplane({"default", dataplane}), cache);
    MatchedPolicies matched = policies.of(*store.registry().find(type));
    EXPECT_EQ(policies.problems(), matched.problems);
    return matched;
  }
  static std::vector<std::string> names(const mesh::ResourceList& list) {
    std::vector<std::string> all;
    for (const auto& policy : list) {
      all.push_back(policy->meta.name);
    }
    return all;
  }
  static std::string conf(const Rule* rule) { return rule == nullptr ? "-" : rule->conf->text; }

  mesh::testing::TestStore store;
  mesh::ViewBuilder builder;
};

constexpr char kFromMesh[] = "from: [{targetRef: {kind: Mesh}, default: {x: 1}}]";

TEST_F(MatchedTest, Policies_come_from_the_widest_target_to_the_narrowest_then_by_name) {
  policy("b-mesh", "kind: Mesh", kFromMesh);
  policy("a-service", "kind: MeshService, name: web", kFromMesh);
  policy("a-mesh", "kind: Mesh", kFromMesh);
  policy("z-subset", "kind: MeshSubset, tags: {version: v1}", kFromMesh);
  policy("a-service-subset", "kind: MeshServiceSubset, name: web, tags: {version: v1}", kFromMesh);
  policy("other", "kind: MeshService, name: other", kFromMesh);
  policy("ignored", "kind: MeshService, name: old", kFromMesh);
  EXPECT_THAT(names(match().policies), ElementsAre("a-mesh", "b-mesh", "z-subset", "a-service", "a-service-subset"));
}

TEST_F(MatchedTest, From_rules_are_of_the_inbounds_that_were_selected) {
  policy("web", "kind: MeshService, name: web", "from: [{targetRef: {kind: Mesh}, default: {x: 1}}]");
  policy("everything", "kind: Mesh", "from: [{targetRef: {kind: MeshService, name: c}, default: {y: 2}}]");
  auto matched = match();
  ASSERT_EQ(matched.from.size(), 2U) << "an ignored inbound has none";
  EXPECT_EQ(matched.from.at({"10.0.0.1", 80})->list().size(), 2U);
  EXPECT_EQ(conf(matched.from.at({"10.0.0.1", 80})->find_service("c")), R"({"y":2,"x":1})");
  EXPECT_EQ(matched.from.at({"10.0.0.9", 81})->list().size(), 1U);
}

TEST_F(MatchedTest, To_rules_are_of_the_proxy_as_soon_as_one_inbound_is_selected) {
  policy("admin", "kind: MeshService, name: web-admin", "to: [{targetRef: {kind: MeshService, name: db}, default: {x: 1}}]");
  auto matched = match();
  EXPECT_EQ(conf(matched.to->find_service("db")), R"({"x":1})");
  EXPECT_EQ(matched.to->find_service("other"), nullptr);
  EXPECT_THAT(matched.single->list(), IsEmpty());
}

TEST_F(MatchedTest, Later_policies_override_whatever_their_items_target) {
  policy("zz", "kind: Mesh", "to: [{targetRef: {kind: Mesh}, default: {c: 1, h: {r: 10}}}]");
  policy("aa", "kind: Mesh",
         "to: [{targetRef: {kind: Mesh}, default: {c: 2, i: 20}}, {targetRef: {kind: MeshService, name: backend}, default: {c: 3, h: "
         "{s: 30}}}]");
  policy("bb", "kind: MeshService, name: web", "to: [{targetRef: {kind: Mesh}, default: {i: 99}}]");
  auto matched = match();
  EXPECT_EQ(conf(matched.to->find_service("backend")), R"({"c":1,"i":99,"h":{"s":30,"r":10}})");
  EXPECT_EQ(conf(matched.to->find_service("other")), R"({"c":1,"i":99,"h":{"r":10}})");
  EXPECT_THAT(names(matched.to->find_service("backend")->conf->origins), ElementsAre("aa", "bb", "zz"));
}

TEST_F(MatchedTest, A_thousand_policies_on_one_proxy_merge_and_the_last_one_wins) {
  std::string all;
  for (int i = 0; i < 1000; ++i) {
    all += fmt::format("{{type: MeshBoth, mesh: default, name: p-{:03}, spec: {{targetRef: {{kind: Mesh}}, to: [{{targetRef: {{kind: "
                       "Mesh}}, default: {{who: {}, own: {{s{}: 1}}}}}}, {{targetRef: {{kind: MeshService, name: s{}}}, default: {{mine: "
                       "{}}}}}]}}}}\n---\n",
                       i, i, i % 7, i % 20, i);
  }
  put(all.substr(0, all.size() - 5));
  auto matched = match();
  EXPECT_EQ(matched.policies.size(), 1000U);
  EXPECT_EQ(matched.to->list().size(), 21U) << "one for each service, one for all others";
  EXPECT_EQ(conf(matched.to->find_service("s17")), R"({"who":999,"own":{"s0":1,"s1":1,"s2":1,"s3":1,"s4":1,"s5":1,"s6":1},"mine":997})");
  EXPECT_EQ(matched.to->find_service("s17")->conf->origins.size(), 1000U);
}

TEST_F(MatchedTest, A_policy_that_contradicts_another_wins_by_its_place_and_not_by_when_it_came) {
  const std::string on = "to: [{targetRef: {kind: Mesh}, default: {on: true, list: [1, 2]}}]";
  const std::string off = "to: [{targetRef: {kind: Mesh}, default: {on: false, list: [3]}}]";
  policy("b", "kind: Mesh", on);
  policy("a", "kind: Mesh", off);
  EXPECT_EQ(conf(match().to->find_service("x")), R"({"on":true,"list":[1,2]})");
  policy("b", "kind: Mesh", off);
  policy("a", "kind: Mesh", on);
  EXPECT_EQ(conf(match().to->find_service("x")), R"({"on":false,"list":[3]})");
}

TEST_F(MatchedTest, Policies_without_lists_make_one_rule_for_the_whole_proxy) {
  put("{type: MeshSingle, mesh: default, name: a, spec: {targetRef: {kind: MeshService, name: web}, default: {x: 1, append: [1]}}}");
  put("{type: MeshSingle, mesh: default, name: b, spec: {targetRef: {kind: Mesh}, default: {x: 2, append: [2]}}}");
  put("{type: MeshSingle, mesh: default, name: c, spec: {targetRef: {kind: Mesh}}}");
  auto matched = match("MeshSingle");
  EXPECT_EQ(conf(matched.single->find({})), R"({"x":1,"append":[2,1]})");
  EXPECT_THAT(matched.from, IsEmpty());
}

TEST_F(MatchedTest, A_delegated_gateway_is_selected_by_no_targetRef) {
  put("{type: Dataplane, mesh: default, name: gw-1, networking: {address: 10.0.0.5, gateway: {tags: {kuma.io/service: gw}}}}");
  policy("mesh", "kind: Mesh", kFromMesh);
  EXPECT_THAT(match("MeshBoth", "gw-1").policies, IsEmpty());
}

TEST_F(MatchedTest, Listeners_of_a_builtin_gateway_are_selected_by_merged_tags_and_by_their_gateway) {
  put("{type: Dataplane, mesh: default, name: gw-1, networking: {address: 10.0.0.5, gateway: {type: BUILTIN, tags: {kuma.io/service: "
      "gw}}}}\n---\n"
      "{type: MeshGateway, mesh: default, name: edge, selectors: [{match: {kuma.io/service: gw}}], tags: {team: a}, conf: {listeners: "
      "[{port: 8080, protocol: HTTP, tags: {port: web}}, {port: 8081, protocol: HTTP, tags: {port: api, team: b}}]}}");
  policy("a-team", "kind: MeshSubset, tags: {team: a}", kFromMesh);
  policy("b-gateway", "kind: MeshGateway, name: edge", kFromMesh);
  policy("c-api", "kind: MeshGateway, name: edge, tags: {port: api}", kFromMesh);
  policy("d-other", "kind: MeshGateway, name: other", kFromMesh);
  policy("e-merged", "kind: MeshGateway, name: edge, tags: {team: a}", kFromMesh);
  auto matched = match("MeshBoth", "gw-1");
  EXPECT_THAT(names(matched.policies), ElementsAre("a-team", "b-gateway", "c-api"));
  EXPECT_EQ(matched.from.size(), 2U);
  EXPECT_THAT(match().policies, IsEmpty()) << "a dataplane that is no gateway";
}

TEST_F(MatchedTest, A_policy_for_a_route_selects_what_the_route_selects_under_either_of_its_names) {
  policy("by-name", "kind: MeshHTTPRoute, name: r", kFromMesh);
  auto matched = match();
  EXPECT_THAT(matched.policies, IsEmpty());
  ASSERT_EQ(matched.problems.size(), 1U);
  EXPECT_EQ(matched.problems[0].message,
            "unable to resolve TargetRef on policy: mesh:'default' name:'by-name' error:'couldn't resolve MeshHTTPRoute targetRef "
            "with name 'r''");
  put("{type: MeshHTTPRoute, mesh: default, name: r, spec: {targetRef: {kind: MeshService, name: web}}}");
  EXPECT_THAT(names(match().policies), ElementsAre("by-name"));
  EXPECT_EQ(match().from.size(), 1U);
  store.remove("MeshHTTPRoute", "default", "r");
  put(fmt::format("{{type: MeshHTTPRoute, mesh: default, name: {}, spec: {{targetRef: {{kind: Mesh}}}}}}", synced_name("default", "r")));
  EXPECT_EQ(match().from.size(), 1U) << "the first route is still in the view";
}

TEST_F(MatchedTest, Routes_that_target_each_other_select_nothing) {
  put("{type: MeshHTTPRoute, mesh: default, name: r, spec: {targetRef: {kind: MeshHTTPRoute, name: r}}}");
  policy("loop", "kind: MeshHTTPRoute, name: r", kFromMesh);
  EXPECT_THAT(match().policies, IsEmpty());
  EXPECT_EQ(match().problems.size(), 1U);
}

TEST_F(MatchedTest, Kinds_from_a_newer_control_plane_select_nothing_and_no_peer) {
  policy("future", "kind: MeshMoon", kFromMesh);
  policy("future-from", "kind: Mesh", "from: [{targetRef: {kind: MeshMoon}, default: {x: 1}}, {default: {x: 2}}]");
  auto matched = match();
  EXPECT_THAT(names(matched.policies), ElementsAre("future-from"));
  EXPECT_THAT(matched.from.at({"10.0.0.1", 80})->list(), IsEmpty());
}

TEST_F(MatchedTest, Targets_that_combine_beyond_the_bound_are_a_problem_and_no_rules) {
  std::string items;
  for (int i = 0; i < 20; ++i) {
    items += fmt::format("{{targetRef: {{kind: MeshSubset, tags: {{k{}: x}}}}, default: {{x: 1}}}},", i);
  }
  policy("wild", "kind: MeshService, name: web", "from: [" + items + "]");
  auto matched = match();
  EXPECT_THAT(matched.from.at({"10.0.0.1", 80})->list(), IsEmpty());
  ASSERT_EQ(matched.problems.size(), 1U);
  EXPECT_EQ(matched.problems[0].policy, (PolicyRef{"MeshBoth", "wild", "default"}));
}

TEST_F(MatchedTest, Proxies_with_the_same_policies_share_their_rules_until_one_changes) {
  policy("mesh", "kind: Mesh", kFromMesh);
  RuleCache cache;
  auto first = match("MeshBoth", "web-1", &cache);
  auto second = match("MeshBoth", "web-1", &cache);
  EXPECT_EQ(first.from.at({"10.0.0.1", 80}), second.from.at({"10.0.0.1", 80}));
  EXPECT_EQ(first.from.at({"10.0.0.1", 80}), second.from.at({"10.0.0.9", 81}));
  policy("mesh", "kind: Mesh", "from: [{targetRef: {kind: Mesh}, default: {x: 2}}]");
  EXPECT_EQ(conf(match("MeshBoth", "web-1", &cache).from.at({"10.0.0.1", 80})->find({})), R"({"x":2})");
}

TEST_F(MatchedTest, A_type_that_is_no_policy_matches_nothing) {
  auto view = builder.find("default");
  ProxyPolicies policies(*view, *view->find_dataplane({"default", "web-1"}), nullptr);
  EXPECT_THAT(policies.of("MeshUnheardOf").policies, IsEmpty());
  EXPECT_THAT(policies.of("MeshUnheardOf").to->list(), IsEmpty());
}

TEST(RuleCache, Forgets_old_rules_when_it_is_full) {
  RuleCache cache;
  mesh::ResourceList held;
  for (int i = 0; i < 5000; ++i) {
    held.push_back(std::make_shared<const model::Resource>());
    auto rules = cache.get("x", {held.back()}, [] { return std::vector<RuleItem>(); });
    ASSERT_TRUE(rules.ok());
  }
  bool made = false;
  ASSERT_TRUE(cache.get("x", {held.back()}, [&] { made = true; return std::vector<RuleItem>(); }).ok());
  EXPECT_FALSE(made);
  ASSERT_TRUE(cache.get("x", {held.front()}, [&] { made = true; return std::vector<RuleItem>(); }).ok());
  EXPECT_TRUE(made);
}

}  // namespace
}  // namespace kuma::policy
