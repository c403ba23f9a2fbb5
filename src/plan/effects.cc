#include "plan/effects.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/status.h"
#include "policy/matched.h"
#include "policy/provenance.h"

namespace kuma::plan {
namespace {

using mesh::ResourceList;
using policy::Setting;
using policy::Subset;

// Peers told apart by more than this many subsets are not compared one by one.
constexpr size_t kSubsetsMax = 500;

std::string text_of(const Subset& subset) {
  std::vector<std::string> tags;
  for (const policy::SubsetTag& tag : subset) {
    tags.push_back(fmt::format("{}{}{}", tag.key, tag.negated ? "!=" : "=", tag.value));
  }
  return fmt::format("{}", fmt::join(tags, ", "));
}

// The policies of one type on one inbound of a dataplane (or on the whole of it), before and after.
struct Sides {
  std::string_view list;
  ResourceList before;
  ResourceList after;
  auto operator<=>(const Sides&) const = default;
};

void add_subsets(const ResourceList& policies, std::string_view list, std::vector<Subset>& subsets) {
  std::vector<policy::RuleItem> items;
  for (const auto& policy : policies) {
    for (policy::RuleItem& item : policy::rule_items(policy, list)) {
      items.push_back(std::move(item));
    }
  }
  auto rules = policy::build_rules(items);
  if (!rules.ok()) {
    return;  // such policies have no effect; the generation says so
  }
  for (const policy::Rule& rule : (*rules)->list()) {
    if (subsets.size() < kSubsetsMax && std::ranges::find(subsets, rule.subset) == subsets.end()) {
      subsets.push_back(rule.subset);
    }
  }
}

std::map<std::string, Setting> by_path(std::vector<Setting> settings) {
  std::map<std::string, Setting> all;
  for (Setting& setting : settings) {
    all.emplace(setting.path, std::move(setting));
  }
  return all;
}

void compare_settings(std::string_view type, const Sides& sides, const Subset& subset, std::vector<Effect>& effects) {
  const auto before = by_path(policy::settings_of(sides.before, sides.list, subset));
  const auto after = by_path(policy::settings_of(sides.after, sides.list, subset));
  std::set<std::string> paths;
  for (const auto* settings : {&before, &after}) {
    for (const auto& [path, setting] : *settings) {
      paths.insert(path);
    }
  }
  for (const std::string& path : paths) {
    auto old_setting = before.find(path), new_setting = after.find(path);
    auto name = [](auto found, const auto& all) { return found == all.end() ? "" : found->second.winner().policy->meta.name; };
    auto value = [](auto found, const auto& all) { return found == all.end() ? json::value(nullptr) : found->second.value; };
    std::string loses = name(old_setting, before), wins = name(new_setting, after);
    if (loses != wins) {
      effects.push_back({.type = std::string(type),
                         .list = std::string(sides.list),
                         .subset = text_of(subset),
                         .path = path,
                         .before = value(old_setting, before),
                         .after = value(new_setting, after),
                         .loses = std::move(loses),
                         .wins = std::move(wins),
                         .dataplanes = {}});
    }
  }
}

std::vector<Effect> compare_sides(std::string_view type, const Sides& sides) {
  std::vector<Effect> effects;
  if (sides.before == sides.after) {
    return effects;
  }
  std::vector<Subset> subsets;
  add_subsets(sides.before, sides.list, subsets);
  add_subsets(sides.after, sides.list, subsets);
  for (const Subset& subset : subsets) {
    compare_settings(type, sides, subset, effects);
  }
  return effects;
}

// The policies of a type on each inbound of a dataplane; under the empty key those that select it at all.
std::map<policy::InboundKey, ResourceList> matched(const mesh::MeshViewPtr& view, const model::ResourceKey& key,
                                                   const model::ResourceType& type, policy::RuleCache& cache) {
  std::map<policy::InboundKey, ResourceList> all;
  const mesh::DataplaneView* dataplane = view == nullptr ? nullptr : view->find_dataplane(key);
  if (dataplane == nullptr) {
    return all;
  }
  policy::ProxyPolicies policies(*view, *dataplane, &cache);
  const auto inbounds = policy::selectable_inbounds(*view, *dataplane);
  for (const auto& one : policies.of(type).policies) {
    all[{}].push_back(one);
    for (const policy::InboundKey& inbound : policy::selected_inbounds(*one, *view, *dataplane, inbounds)) {
      all[inbound].push_back(one);
    }
  }
  return all;
}

class EffectFinder {
 public:
  EffectFinder(const mesh::MeshUpdate& update, const Limits& limits) : update_(update), limits_(limits) {}

  void find(const model::ResourceType& type) {
    std::set<model::ResourceKey> keys;
    for (const auto& view : {update_.previous, update_.view}) {
      if (view != nullptr) {
        for (const auto& [key, dataplane] : view->dataplanes) {
          keys.insert(key);
        }
      }
    }
    std::map<Sides, std::vector<Effect>> known;
    for (const model::ResourceKey& key : keys) {
      std::set<const Effect*> of_dataplane;
      for (const Sides& sides : sides_of(key, type)) {
        auto [entry, is_new] = known.try_emplace(sides);
        if (is_new) {
          entry->second = compare_sides(type.name, sides);
        }
        for (const Effect& effect : entry->second) {
          if (of_dataplane.insert(&effect).second) {
            found_[effect].add(key.name, limits_.dataplanes_max);
          }
        }
      }
    }
  }

  void tell(Plan& plan) {
    for (auto& [effect, dataplanes] : found_) {
      if (plan.effects.size() >= limits_.effects_max) {
        ++plan.effects_left_out;
        continue;
      }
      plan.effects.push_back(effect);
      plan.effects.back().dataplanes = std::move(dataplanes);
    }
  }

 private:
  std::vector<Sides> sides_of(const model::ResourceKey& key, const model::ResourceType& type) {
    auto before = matched(update_.previous, key, type, rules_), after = matched(update_.view, key, type, rules_);
    std::set<policy::InboundKey> inbounds;
    for (const auto* side : {&before, &after}) {
      for (const auto& [inbound, policies] : *side) {
        inbounds.insert(inbound);
      }
    }
    std::vector<Sides> all;
    for (const policy::InboundKey& inbound : inbounds) {
      bool whole = inbound == policy::InboundKey{};
      if (!whole && type.has_from) {
        all.push_back({"from", before[inbound], after[inbound]});
      } else if (whole && type.has_to) {
        all.push_back({"to", before[inbound], after[inbound]});
      } else if (whole && !type.has_from && !type.has_to) {
        all.push_back({"", before[inbound], after[inbound]});
      }
    }
    return all;
  }

  const mesh::MeshUpdate& update_;
  const Limits& limits_;
  policy::RuleCache rules_;  // made once for all dataplanes that they match
  std::map<Effect, Names> found_;
};

}  // namespace

void add_effects(const mesh::MeshUpdate& update, const Limits& limits, Plan& plan) {
  std::set<const model::ResourceType*> types;
  for (const auto& [before, after] : update.change.policies) {
    const model::ResourceType* type = (after != nullptr ? after : before)->type;
    if (type->is_target_ref) {
      types.insert(type);
    }
  }
  EffectFinder finder(update, limits);
  for (const model::ResourceType* type : types) {
    finder.find(*type);
  }
  finder.tell(plan);
}

}  // namespace kuma::plan
