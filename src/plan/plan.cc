#include "plan/plan.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <tuple>

#include "base/status.h"
#include "plan/effects.h"
#include "plan/warnings.h"
#include "xds/gen/shared_pieces.h"

namespace kuma::plan {
namespace {

using xds::Generation;
using xds::WireResourcePtr;
using xds::XdsType;

constexpr std::pair<XdsType, std::string_view> kKinds[] = {{XdsType::Cluster, "cluster"},
                                                           {XdsType::Endpoint, "endpoints"},
                                                           {XdsType::Listener, "listener"},
                                                           {XdsType::Route, "route"}};

// Threads for generation, and how few dataplanes are not worth another one.
constexpr size_t kThreadsMax = 4;
constexpr size_t kDataplanesPerThreadMin = 16;

// What a proxy has of one kind, by name.
using ByName = std::map<std::string_view, WireResourcePtr>;

ByName by_name(const Generation* generation, XdsType type) {
  ByName all;
  if (generation != nullptr) {
    for (const xds::GeneratedResource& resource : generation->resources[static_cast<size_t>(type)]) {
      all.emplace(resource.wire->name, resource.wire);
    }
  }
  return all;
}

class Planner {
 public:
  Planner(const mesh::MeshUpdate& update, const Limits& limits) : update_(update), limits_(limits) {}

  Plan run() {
    const std::set<model::ResourceKey> all = dataplanes();
    const std::vector<model::ResourceKey> keys(all.begin(), all.end());
    const std::vector<Sides> sides = generate_all(keys);  // `changes_` points into them
    for (size_t i = 0; i < keys.size(); ++i) {
      compare(keys[i], sides[i]);
    }
    tell_differences();
    add_effects(update_, limits_, plan_);
    add_warnings(update_, limits_, plan_);
    return std::move(plan_);
  }

 private:
  // What a dataplane has and would have. Nothing: the mesh does not have it, or it can't be configured, which `error` then says.
  struct Side {
    std::optional<Generation> generation;
    std::string error;
  };
  struct Sides {
    Side before, after;
    bool concerned = true;  // false: `after` is as before
  };

  // The same resource, before and after, of any proxy: compared once.
  struct ResourceChange {
    std::string_view kind;
    std::string name;
    const xds::WireResource* before;
    const xds::WireResource* after;

    // By content: where resources happen to lie must not order what is told.
    auto content() const { return std::tuple(kind, std::string_view(name), version_of(before), version_of(after)); }
    static std::string_view version_of(const xds::WireResource* resource) { return resource == nullptr ? "" : std::string_view(resource->version); }
    bool operator<(const ResourceChange& other) const { return content() < other.content(); }
  };

  std::set<model::ResourceKey> dataplanes() const {
    std::set<model::ResourceKey> keys;
    for (const auto& view : {update_.previous, update_.view}) {
      if (view != nullptr) {
        for (const auto& [key, dataplane] : view->dataplanes) {
          keys.insert(key);
        }
      }
    }
    return keys;
  }

  // On several threads: proxies know nothing of each other, and what they share is made for that.
  std::vector<Sides> generate_all(const std::vector<model::ResourceKey>& keys) {
    std::vector<Sides> sides(keys.size());
    std::atomic<size_t> next{0};
    const auto work = [&] {
      for (size_t i = next++; i < keys.size(); i = next++) {
        sides[i] = generate_sides(keys[i]);
      }
    };
    const size_t useful = keys.size() / kDataplanesPerThreadMin + 1;
    std::vector<std::thread> others(std::min({useful, kThreadsMax, std::max<size_t>(std::thread::hardware_concurrency(), 1)}) - 1);
    for (std::thread& other : others) {
      other = std::thread(work);
    }
    work();
    for (std::thread& other : others) {
      other.join();
    }
    return sides;
  }

  Sides generate_sides(const model::ResourceKey& key) {
    Sides sides{.before = generate(update_.previous, key), .after = {}};
    const auto& before = sides.before.generation;
    sides.concerned = !before || update_.view == nullptr || xds::concerns(update_.change, *update_.view, key, &*before);
    if (sides.concerned) {
      sides.after = generate(update_.view, key);
    }
    return sides;
  }

  Side generate(const mesh::MeshViewPtr& view, const model::ResourceKey& key) {
    if (view == nullptr || view->find_dataplane(key) == nullptr) {
      return {};
    }
    xds::ProxyInput proxy;
    proxy.key = key;
    auto generation = xds::generate(*view, proxy, {.interner = interner_, .pieces = &pieces_});
    if (!generation.ok()) {
      return {std::nullopt, std::string(message_of(generation.status()))};
    }
    return {*std::move(generation), ""};
  }

  void compare(const model::ResourceKey& key, const Sides& sides) {
    if (!sides.concerned) {
      ++plan_.dataplanes_unchanged;
      return;
    }
    const auto& before = sides.before.generation;
    const auto& after = sides.after.generation;
    if (!sides.after.error.empty() && sides.after.error != sides.before.error) {
      warn(plan_, limits_, fmt::format("dataplane \"{}\" could not be configured any more: {}", key.name, sides.after.error));
    }
    if (after) {
      warn_of_problems(key, before ? before->problems : std::vector<xds::Problem>(), after->problems);
    }
    bool differs = false;
    for (const auto& [type, kind] : kKinds) {
      differs |= compare_kind(key, kind, by_name(before ? &*before : nullptr, type), by_name(after ? &*after : nullptr, type));
    }
    if (differs) {
      ++plan_.dataplanes_changed;
      plan_.changed.add(key.name, limits_.dataplanes_max);
    } else {
      ++plan_.dataplanes_unchanged;
    }
  }

  bool compare_kind(const model::ResourceKey& key, std::string_view kind, const ByName& before, const ByName& after) {
    bool differs = false;
    auto note = [&](std::string_view name, const WireResourcePtr& from, const WireResourcePtr& to) {
      differs = true;
      changes_[{kind, std::string(name), from.get(), to.get()}].add(key.name, limits_.dataplanes_max);
    };
    for (const auto& [name, resource] : before) {
      auto found = after.find(name);
      if (found == after.end()) {
        note(name, resource, nullptr);
      } else if (found->second->version != resource->version) {
        note(name, resource, found->second);
      }
    }
    for (const auto& [name, resource] : after) {
      if (!before.contains(name)) {
        note(name, nullptr, resource);
      }
    }
    return differs;
  }

  void warn_of_problems(const model::ResourceKey& key, const std::vector<xds::Problem>& before,
                        const std::vector<xds::Problem>& after) {
    for (const xds::Problem& problem : after) {
      if (std::ranges::find(before, problem) == before.end()) {
        warn(plan_, limits_,
             fmt::format("{} \"{}\" would be left out for dataplane \"{}\": {}", problem.policy.type, problem.policy.name,
                         key.name, problem.message));
      }
    }
  }

  void tell_differences() {
    for (auto& [change, dataplanes] : changes_) {
      if (plan_.differences.size() >= limits_.differences_max) {
        ++plan_.differences_left_out;
        continue;
      }
      Difference difference{.kind = std::string(change.kind),
                            .name = change.name,
                            .action = change.before == nullptr  ? "added"
                                      : change.after == nullptr ? "removed"
                                                                : "changed",
                            .lines = {},
                            .dataplanes = std::move(dataplanes)};
      if (change.before != nullptr && change.after != nullptr) {
        difference.lines = plan::difference(to_json_value(change.before), to_json_value(change.after), limits_.lines_max);
      }
      plan_.differences.push_back(std::move(difference));
    }
  }

  const mesh::MeshUpdate& update_;
  const Limits& limits_;
  xds::Interner interner_;
  xds::SharedPieces pieces_;
  std::map<ResourceChange, Names> changes_;
  Plan plan_;
};

json::object names_object(const Names& names) {
  json::array first;
  for (const std::string& name : names.first) {
    first.push_back(json::value(name));
  }
  return {{"total", names.count}, {"names", std::move(first)}};
}

json::array lines_array(const Lines& lines) {
  json::array out;
  for (const Line& line : lines.list) {
    out.push_back(json::object{{"path", line.path}, {"before", line.before}, {"after", line.after}});
  }
  return out;
}

json::object effect_object(const Effect& effect) {
  json::object out{{"type", effect.type}};
  if (!effect.list.empty()) {
    out["list"] = effect.list;
  }
  out["subset"] = effect.subset;
  out["setting"] = effect.path;
  out["before"] = effect.before;
  out["after"] = effect.after;
  out["loses"] = effect.loses.empty() ? json::value(nullptr) : json::value(effect.loses);
  out["wins"] = effect.wins.empty() ? json::value(nullptr) : json::value(effect.wins);
  out["dataplanes"] = names_object(effect.dataplanes);
  return out;
}

}  // namespace

void warn(Plan& plan, const Limits& limits, std::string text) {
  if (plan.warnings.size() < limits.warnings_max && std::ranges::find(plan.warnings, text) == plan.warnings.end()) {
    plan.warnings.push_back(std::move(text));
  }
}

Plan make_plan(const mesh::MeshUpdate& update, const Limits& limits) { return Planner(update, limits).run(); }

json::object to_json_object(const Difference& difference) {
  json::object out{{"kind", difference.kind}, {"name", difference.name}, {"action", difference.action}};
  if (difference.action == "changed") {
    out["changes"] = lines_array(difference.lines);
    out["moreChanges"] = difference.lines.more;
  }
  out["dataplanes"] = names_object(difference.dataplanes);
  return out;
}

json::object to_json_object(const Plan& plan) {
  json::object changed = names_object(plan.changed);
  json::array differences, effects, warnings;
  for (const Difference& difference : plan.differences) {
    differences.push_back(to_json_object(difference));
  }
  for (const Effect& effect : plan.effects) {
    effects.push_back(effect_object(effect));
  }
  for (const std::string& warning : plan.warnings) {
    warnings.push_back(json::value(warning));
  }
  return {{"dataplanes", json::object{{"changed", plan.dataplanes_changed},
                                      {"unchanged", plan.dataplanes_unchanged},
                                      {"names", std::move(changed["names"])}}},
          {"differences", std::move(differences)},
          {"differencesLeftOut", plan.differences_left_out},
          {"policies", std::move(effects)},
          {"policiesLeftOut", plan.effects_left_out},
          {"warnings", std::move(warnings)}};
}

}  // namespace kuma::plan
