#include "policy/provenance.h"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mesh/view_testing.h"
#include "policy/policy.h"

namespace kuma::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<model::ResourceType> types() {
  auto all = model::core_types();
  for (model::ResourceType& type : policy_types()) {
    all.push_back(std::move(type));
  }
  return all;
}

const Subset kBackend = {{"kuma.io/service", "backend"}};

class ProvenanceTest : public ::testing::Test {
 protected:
  ProvenanceTest() : store(types()) {}

  // A MeshTimeout with a targetRef and a list of `to`.
  model::ResourcePtr timeout(std::string_view name, std::string_view target, std::string_view to) {
    return store.put(fmt::format("{{type: MeshTimeout, mesh: default, name: {}, spec: {{targetRef: {{{}}}, to: {}}}}}", name, target, to))
        .front()
        .after;
  }

  mesh::testing::TestStore store;
};

TEST_F(ProvenanceTest, Has_nothing_where_no_entry_is_for_the_peer) {
  auto policy = timeout("a", "kind: Mesh", "[{targetRef: {kind: MeshService, name: other}, default: {idleTimeout: 1s}}]");
  EXPECT_THAT(settings_of({policy}, "to", kBackend), IsEmpty());
  EXPECT_THAT(settings_of({policy}, "from", kBackend), IsEmpty());
  EXPECT_THAT(settings_of({}, "to", kBackend), IsEmpty());
}

TEST_F(ProvenanceTest, Names_the_policy_and_the_entry_of_each_setting_and_why_the_others_lost) {
  auto wide = timeout("wide", "kind: Mesh", "[{targetRef: {kind: Mesh}, default: {connectionTimeout: 1s, http: {requestTimeout: 2s}}}]");
  auto wide_too = timeout("wide-too", "kind: Mesh", "[{targetRef: {kind: Mesh}, default: {connectionTimeout: 3s}}]");
  auto narrow = timeout("narrow", "kind: MeshService, name: web",
                        "[{targetRef: {kind: Mesh}, default: {http: {requestTimeout: 4s}}}, "
                        "{targetRef: {kind: MeshService, name: backend}, default: {http: {requestTimeout: 5s, streamIdleTimeout: 6s}}}]");
  auto settings = settings_of({wide, wide_too, narrow}, "to", kBackend);

  ASSERT_EQ(settings.size(), 3U);
  EXPECT_EQ(settings[0].path, "connectionTimeout");
  EXPECT_EQ(settings[0].value, json::value("3s"));
  EXPECT_EQ(settings[0].winner().policy, wide_too);
  EXPECT_EQ(settings[0].winner().reason, "");
  EXPECT_EQ(settings[0].candidates[0].reason, "\"wide-too\" targets a Mesh as well and is later by name");

  EXPECT_EQ(settings[1].path, "http.requestTimeout");
  ASSERT_EQ(settings[1].candidates.size(), 3U);
  EXPECT_EQ(settings[1].candidates[0].reason, "it targets a Mesh, \"narrow\" targets a MeshService, which is narrower");
  EXPECT_EQ(settings[1].candidates[1].place, "to[0]");
  EXPECT_EQ(settings[1].candidates[1].reason, "to[1] of the same policy has it too and comes later");
  EXPECT_EQ(settings[1].winner().place, "to[1]");
  EXPECT_EQ(settings[2].path, "http.streamIdleTimeout");
}

// Small random confs whose members are scalars, objects, empty objects and lists.
json::value random_conf(std::mt19937& random, int depth) {
  json::object conf;
  for (const char* name : {"a", "ab", "appendX", "b"}) {
    switch (random() % (depth > 0 ? 5 : 3)) {
      case 0:
        break;
      case 1:
        if (std::string_view(name) == "appendX") {
          conf[name] = json::array{static_cast<int64_t>(random() % 9)};
        } else {
          conf[name] = static_cast<int64_t>(random() % 9);
        }
        break;
      case 2:
        if (std::string_view(name) != "appendX") {
          conf[name] = json::object();
        }
        break;
      default:
        if (std::string_view(name) != "appendX") {
          conf[name] = random_conf(random, depth - 1);
        }
    }
  }
  return conf;
}

void put_at(json::object& object, std::string_view path, const json::value& value) {
  const size_t dot = path.find('.');
  if (dot == std::string_view::npos) {
    object[path] = value;
    return;
  }
  json::value& below = object[path.substr(0, dot)];
  if (!below.is_object()) {
    below = json::object();
  }
  put_at(below.get_object(), path.substr(dot + 1), value);
}

// Members in order of name, empty objects left out: the merge keeps some that the settings don't name.
json::value normal(const json::value& value) {
  if (!value.is_object()) {
    return value;
  }
  std::map<std::string, json::value> sorted;
  for (const auto& member : value.get_object()) {
    json::value below = normal(member.value());
    if (!below.is_object() || !below.get_object().empty()) {
      sorted.emplace(std::string(std::string_view(member.key())), std::move(below));
    }
  }
  json::object out;
  for (auto& [name, below] : sorted) {
    out[name] = std::move(below);
  }
  return out;
}

TEST_F(ProvenanceTest, Says_what_the_rules_have_for_any_policies) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    mesh::ResourceList policies;
    std::vector<RuleItem> items;
    for (unsigned i = 0; i < 1 + random() % 4; ++i) {
      auto policy = std::make_shared<model::Resource>(*timeout(fmt::format("p{}", i), "kind: Mesh", "[{targetRef: {kind: Mesh}, default: {idleTimeout: 1s}}]"));
      json::array to;
      for (unsigned k = 0; k < random() % 3; ++k) {
        json::object target{{"kind", "Mesh"}};
        if (random() % 2 == 0) {
          target = {{"kind", "MeshService"}, {"name", random() % 2 == 0 ? "backend" : "other"}};
        }
        to.push_back(json::object{{"targetRef", target}, {"default", random_conf(random, 2)}});
      }
      policy->spec.as_object()["to"] = std::move(to);
      policies.push_back(policy);
      for (RuleItem& item : rule_items(policy, "to")) {
        items.push_back(std::move(item));
      }
    }
    auto rules = build_rules(items);
    ASSERT_TRUE(rules.ok());
    const Rule* rule = (*rules)->find(kBackend);
    json::object told;
    for (const Setting& setting : settings_of(policies, "to", kBackend)) {
      put_at(told, setting.path, setting.value);
    }
    EXPECT_EQ(normal(told), normal(rule == nullptr ? json::value(json::object()) : rule->conf->value)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace kuma::policy
