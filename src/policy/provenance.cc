#include "policy/provenance.h"

#include <algorithm>
#include <map>

#include "base/status.h"

namespace kuma::policy {
namespace {

bool is_appended(std::string_view path) {
  const size_t dot = path.rfind('.');
  const std::string_view name = dot == std::string_view::npos ? path : path.substr(dot + 1);
  return name.starts_with("append") || name.starts_with("Append");
}

// One entry of a policy that is for the peer.
struct Entry {
  model::ResourcePtr policy;
  TargetKind top = TargetKind::Mesh;  // of the policy's own targetRef
  std::string place;
};

class Collector {
 public:
  void add(const Entry& entry, const json::value& conf) { walk(entry, conf, ""); }

  std::vector<Setting> finish() {
    std::vector<Setting> settings;
    for (auto& [path, found] : by_path_) {
      Setting setting{.path = path, .value = found.back().second, .candidates = {}};
      const Entry& winner = found.back().first;
      if (is_appended(path)) {
        setting.value = appended(found);
      }
      for (const auto& [entry, value] : found) {
        bool counts = &entry == &winner || is_appended(path);
        setting.candidates.push_back({entry.policy, entry.place, value, counts ? "" : why(entry, winner)});
      }
      settings.push_back(std::move(setting));
    }
    return settings;
  }

 private:
  using Found = std::vector<std::pair<Entry, json::value>>;

  void walk(const Entry& entry, const json::value& value, const std::string& path) {
    if (!value.is_object()) {
      forget_below(path);
      by_path_[path].emplace_back(entry, value);
      return;
    }
    if (value.get_object().empty() && !path.empty()) {
      if (!has_below(path)) {
        by_path_[path].emplace_back(entry, value);
      }
      return;
    }
    by_path_.erase(path);  // what is no object, or an empty one, gives way
    for (const auto& member : value.get_object()) {
      const std::string_view name = member.key();
      walk(entry, member.value(), path.empty() ? std::string(name) : fmt::format("{}.{}", path, name));
    }
  }

  // Paths below `path`: '/' is the character after '.'.
  bool has_below(const std::string& path) const { return by_path_.lower_bound(path + ".") != by_path_.lower_bound(path + "/"); }

  // A value that is no object takes the place of an object that was there before.
  void forget_below(const std::string& path) {
    by_path_.erase(by_path_.lower_bound(path + "."), by_path_.lower_bound(path + "/"));
  }

  static json::value appended(const Found& found) {
    json::array all;
    for (const auto& [entry, value] : found) {
      if (value.is_array()) {
        all.insert(all.end(), value.get_array().begin(), value.get_array().end());
      }
    }
    return all;
  }

  static std::string why(const Entry& loser, const Entry& winner) {
    if (loser.policy == winner.policy) {
      return fmt::format("{} of the same policy has it too and comes later", winner.place);
    }
    if (loser.top != winner.top) {
      return fmt::format("it targets a {}, \"{}\" targets a {}, which is narrower", kind_name(loser.top),
                         winner.policy->meta.name, kind_name(winner.top));
    }
    return fmt::format("\"{}\" targets a {} as well and is later by name", winner.policy->meta.name, kind_name(winner.top));
  }

  std::map<std::string, Found> by_path_;
};

}  // namespace

std::vector<Setting> settings_of(const mesh::ResourceList& policies, std::string_view list, const Subset& peer) {
  Collector collector;
  for (const auto& policy : policies) {
    auto top = parse_target_ref(policy->spec, "targetRef");
    std::vector<RuleItem> items = rule_items(policy, list);
    for (size_t i = 0; i < items.size(); ++i) {
      auto subset = subset_of(items[i].target);
      if (!subset || !contains(*subset, peer)) {
        continue;
      }
      Entry entry{policy, top ? top->kind : TargetKind::Mesh, list.empty() ? "default" : fmt::format("{}[{}]", list, i)};
      collector.add(entry, items[i].conf);
    }
  }
  return collector.finish();
}

}  // namespace kuma::policy
