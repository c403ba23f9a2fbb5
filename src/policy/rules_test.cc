#include "policy/rules.h"

#include <chrono>
#include <random>
#include <set>

#include "base/status.h"
#include "gtest/gtest.h"
#include "policy/merge.h"

namespace kuma::policy {
namespace {

const model::ResourceType kType = [] {
  model::ResourceType type;
  type.name = "MeshTest";
  return type;
}();

model::ResourcePtr policy_named(std::string name) {
  auto resource = std::make_shared<model::Resource>();
  resource->type = &kType;
  resource->meta.name = std::move(name);
  return resource;
}

RuleItem item(TargetRef target, std::string conf, const model::ResourcePtr& policy) {
  return {std::move(target), {{"action", std::move(conf)}}, policy};
}

// `{kuma.io/service=a,v=!1} Deny [p1,p2]`
std::string text_of(const Rule& rule) {
  std::string text = "{";
  for (const SubsetTag& tag : rule.subset) {
    text += fmt::format("{}{}={}{}", text == "{" ? "" : ",", tag.key, tag.negated ? "!" : "", tag.value);
  }
  const json::value* action = kuma::find(rule.conf->value, "action");
  text += fmt::format("}} {} [", action == nullptr ? "-" : std::string(action->get_string()));
  for (const auto& origin : rule.conf->origins) {
    text += (text.back() == '[' ? "" : ",") + origin->meta.name;
  }
  return text + "]";
}

std::vector<std::string> texts_of(const Rules& rules) {
  std::vector<std::string> texts;
  for (const Rule& rule : rules.list()) {
    texts.push_back(text_of(rule));
  }
  return texts;
}

std::vector<std::string> build(const std::vector<RuleItem>& items) {
  auto rules = build_rules(items);
  EXPECT_TRUE(rules.ok()) << rules.status();
  return rules.ok() ? texts_of(**rules) : std::vector<std::string>();
}

TargetRef of_mesh() { return {}; }
TargetRef of_subset(mesh::Tags tags) { return {TargetKind::MeshSubset, "", std::move(tags)}; }
TargetRef of_service(std::string name) { return {TargetKind::MeshService, std::move(name), {}}; }
TargetRef of_service(std::string name, mesh::Tags tags) {
  return {TargetKind::MeshServiceSubset, std::move(name), std::move(tags)};
}

TEST(Rules, Three_tags_cut_the_peers_into_eight_subsets) {
  auto p1 = policy_named("p1"), p2 = policy_named("p2");
  EXPECT_EQ(build({item(of_mesh(), "Deny", p1), item(of_subset({{"team", "a"}}), "Allow", p2),
                   item(of_service("orders", {{"env", "prod"}}), "Shadow", p2)}),
            (std::vector<std::string>{
                "{env=prod,kuma.io/service=orders,team=a} Shadow [p1,p2]",
                "{env=!prod,kuma.io/service=orders,team=a} Allow [p1,p2]",
                "{env=prod,kuma.io/service=!orders,team=a} Allow [p1,p2]",
                "{env=prod,kuma.io/service=orders,team=!a} Shadow [p1,p2]",
                "{env=!prod,kuma.io/service=!orders,team=a} Allow [p1,p2]",
                "{env=!prod,kuma.io/service=orders,team=!a} Deny [p1]",
                "{env=prod,kuma.io/service=!orders,team=!a} Deny [p1]",
                "{env=!prod,kuma.io/service=!orders,team=!a} Deny [p1]",
            }));
}

TEST(Rules, Disjoint_services_make_components_that_come_in_descending_text_order) {
  auto p = policy_named("p");
  EXPECT_EQ(build({item(of_service("a"), "Allow", p), item(of_service("b"), "Deny", p),
                   item(of_service("a", {{"v", "1"}}), "Deny", p)}),
            (std::vector<std::string>{
                "{kuma.io/service=a,v=1} Deny [p]",
                "{kuma.io/service=b} Deny [p]",
                "{kuma.io/service=a,v=!1} Allow [p]",
            }));
}

TEST(Rules, No_items_make_no_rules) { EXPECT_TRUE(build({}).empty()); }

TEST(Rules, Targets_that_are_no_tags_are_refused) {
  auto p = policy_named("p");
  auto gateway = build_rules({item({TargetKind::MeshGateway, "g", {}}, "Allow", p)});
  EXPECT_EQ(message_of(gateway.status()), "can't represent MeshGateway as tags");
  auto route = build_rules({item({TargetKind::MeshHTTPRoute, "r", {}}, "Allow", p)});
  EXPECT_EQ(message_of(route.status()), "can't represent MeshHTTPRoute as tags");
}

TEST(Rules, Twenty_keys_that_all_combine_are_refused_instead_of_filling_memory) {
  auto p = policy_named("p");
  std::vector<RuleItem> items;
  for (int i = 0; i < 20; ++i) {
    items.push_back(item(of_subset({{fmt::format("key-{}", i), "x"}}), "Allow", p));
  }
  auto rules = build_rules(items);
  EXPECT_TRUE(absl::IsResourceExhausted(rules.status()));
  EXPECT_EQ(message_of(rules.status()), "the targets combine to more than 100000 rules: 20 keys occur together");
}

TEST(Rules, Rules_from_the_same_items_share_their_settings) {
  auto p = policy_named("p");
  auto rules = build_rules({item(of_mesh(), "Allow", p), item(of_subset({{"a", "1"}, {"b", "1"}}), "Deny", p)});
  ASSERT_TRUE(rules.ok());
  ASSERT_EQ((*rules)->list().size(), 4U);
  EXPECT_EQ((*rules)->list()[1].conf, (*rules)->list()[2].conf);
  EXPECT_EQ((*rules)->list()[0].conf->text, R"({"action":"Deny"})");
}

TEST(Rules, A_negated_tag_contains_nothing_that_lacks_its_key) {
  Subset not_a = {{"team", "a", true}};
  EXPECT_TRUE(contains(not_a, {{"team", "b", false}}));
  EXPECT_FALSE(contains(not_a, {{"team", "a", false}}));
  EXPECT_FALSE(contains(not_a, {{"other", "b", false}}));
  EXPECT_TRUE(contains(not_a, not_a));
  EXPECT_FALSE(contains({{"team", "b", false}}, not_a));
  EXPECT_TRUE(contains({}, {}));
  EXPECT_FALSE(contains(not_a, {}));
}

TEST(Rules, The_whole_proxy_is_found_only_where_no_item_has_tags) {
  auto p = policy_named("p");
  auto plain = build_rules({item(of_mesh(), "Allow", p)});
  EXPECT_NE((*plain)->find({}), nullptr);
  auto with_service = build_rules({item(of_mesh(), "Allow", p), item(of_service("backend"), "Deny", p)});
  EXPECT_EQ((*with_service)->find({}), nullptr);
  EXPECT_EQ(text_of(*(*with_service)->find_service("backend")), "{kuma.io/service=backend} Deny [p]");
  EXPECT_EQ(text_of(*(*with_service)->find_service("other")), "{kuma.io/service=!backend} Allow [p]");
}

// The algorithm as the specification tells it: every sign vector over every component's tags.
std::vector<Rule> obvious_rules(const std::vector<RuleItem>& items) {
  auto subset_of = [](const TargetRef& target) {
    Subset subset;
    if (target.kind == TargetKind::MeshService || target.kind == TargetKind::MeshServiceSubset) {
      subset.push_back({"kuma.io/service", target.name, false});
    }
    for (const auto& [key, value] : target.tags) {
      subset.push_back({key, value, false});
    }
    return subset;
  };
  auto intersects = [](const Subset& a, const Subset& b) {
    if (a.empty() || b.empty()) {
      return true;
    }
    for (const SubsetTag& tag : a) {
      auto found = std::ranges::find(b, tag.key, &SubsetTag::key);
      if (found == b.end()) {
        return true;
      }
      if (found->value != tag.value) {
        return false;
      }
    }
    return true;
  };
  std::vector<Subset> subsets;
  for (const RuleItem& item : items) {
    subsets.push_back(subset_of(item.target));
  }
  std::vector<size_t> group(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    group[i] = i;
  }
  for (size_t i = 0; i < items.size(); ++i) {
    for (size_t j = 0; j < items.size(); ++j) {
      if (intersects(subsets[i], subsets[j])) {
        size_t from = std::max(group[i], group[j]), to = std::min(group[i], group[j]);
        std::ranges::replace(group, from, to);
      }
    }
  }
  std::vector<std::pair<std::string, std::vector<size_t>>> components;
  for (size_t id : std::set<size_t>(group.begin(), group.end())) {
    std::vector<size_t> members;
    std::string name;
    for (size_t i = 0; i < items.size(); ++i) {
      if (group[i] == id) {
        name += (members.empty() ? "" : ":") + std::to_string(i);
        members.push_back(i);
      }
    }
    components.emplace_back(name, members);
  }
  std::ranges::sort(components, std::ranges::greater());

  std::vector<Rule> rules;
  for (const auto& [name, members] : components) {
    std::set<std::pair<std::string, std::string>> all;
    for (size_t i : members) {
      for (const SubsetTag& tag : subsets[i]) {
        all.emplace(tag.key, tag.value);
      }
    }
    std::vector<std::pair<std::string, std::string>> tags(all.begin(), all.end());
    size_t vectors = size_t{1} << tags.size();
    for (size_t n = 1; n <= vectors; ++n) {
      size_t bits = n % vectors;
      std::map<std::string, std::vector<SubsetTag>> by_key;
      for (size_t t = 0; t < tags.size(); ++t) {
        by_key[tags[t].first].push_back({tags[t].first, tags[t].second, (bits >> t & 1) != 0});
      }
      Subset subset;
      bool contradiction = false;
      for (const auto& [key, signs] : by_key) {
        auto positives = std::ranges::count(signs, false, &SubsetTag::negated);
        contradiction = contradiction || positives > 1;
        for (const SubsetTag& tag : signs) {
          if (positives == 0 || !tag.negated) {
            subset.push_back(tag);
          }
        }
      }
      if (contradiction) {
        continue;
      }
      std::vector<const json::value*> confs;
      auto conf = std::make_shared<RuleConf>();
      for (size_t i = 0; i < items.size(); ++i) {
        if (contains(subsets[i], subset)) {
          confs.push_back(&items[i].conf);
          if (std::ranges::find(conf->origins, items[i].policy) == conf->origins.end()) {
            conf->origins.push_back(items[i].policy);
          }
        }
      }
      if (confs.empty()) {
        continue;
      }
      std::ranges::sort(conf->origins, {}, [](const auto& policy) { return policy->meta.name; });
      conf->value = merge_confs(confs);
      rules.push_back({subset, conf});
    }
  }
  std::ranges::stable_sort(rules, std::ranges::greater(), [](const Rule& rule) {
    return std::ranges::count(rule.subset, false, &SubsetTag::negated);
  });
  return rules;
}

TEST(Rules, Agree_with_the_obvious_algorithm_on_random_items) {
  std::mt19937 random(20231);
  auto pick = [&](size_t below) { return std::uniform_int_distribution<size_t>(0, below - 1)(random); };
  std::vector<model::ResourcePtr> policies = {policy_named("z"), policy_named("m"), policy_named("a")};
  for (int round = 0; round < 3000; ++round) {
    std::vector<RuleItem> items;
    size_t count = pick(6);
    size_t keys = 1 + pick(3);
    size_t values = 1 + pick(3);
    for (size_t i = 0; i < count; ++i) {
      mesh::Tags tags;
      for (size_t k = pick(keys + 1); k > 0; --k) {
        tags[fmt::format("k{}", pick(keys))] = fmt::format("v{}", pick(values));
      }
      std::string service = fmt::format("s{}", pick(3));
      TargetRef targets[] = {of_mesh(), of_subset(tags), of_service(service), of_service(service, tags)};
      RuleItem one{targets[1 + pick(3) - (pick(8) == 0 ? 1 : 0)], json::object(), policies[pick(3)]};
      one.conf.get_object()[fmt::format("field-{}", pick(2))] = i;
      items.push_back(std::move(one));
    }
    auto got = build_rules(items);
    ASSERT_TRUE(got.ok());
    std::vector<Rule> expected = obvious_rules(items);
    ASSERT_EQ((*got)->list().size(), expected.size()) << "round " << round;
    for (size_t i = 0; i < expected.size(); ++i) {
      const Rule& rule = (*got)->list()[i];
      EXPECT_EQ(rule.subset, expected[i].subset) << "round " << round << " rule " << i;
      EXPECT_EQ(rule.conf->value, expected[i].conf->value) << "round " << round << " rule " << i;
      EXPECT_EQ(rule.conf->origins, expected[i].conf->origins) << "round " << round << " rule " << i;
    }
    for (int s = 0; s < 4; ++s) {
      std::string service = fmt::format("s{}", s);
      EXPECT_EQ((*got)->find_service(service), (*got)->find({{"kuma.io/service", service, false}}));
    }
  }
}

TEST(Merge, Objects_merge_and_lists_are_replaced_but_appending_ones_grow) {
  json::value first = {{"a", {{"x", 1}, {"y", 1}}}, {"list", {1, 2}}, {"appendModifications", {1}}};
  json::value second = {{"a", {{"y", 2}}}, {"list", {3}}, {"appendModifications", {2}}};
  const json::value* both[] = {&first, &second};
  EXPECT_EQ(to_json(merge_confs(both)), R"({"a":{"x":1,"y":2},"list":[3],"appendModifications":[1,2]})");
  EXPECT_EQ(to_json(merge_confs({})), "{}");
}

}  // namespace
}  // namespace kuma::policy
