#include "policy/rules.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "base/status.h"
#include "policy/merge.h"

namespace kuma::policy {
namespace {

using mesh::kServiceTag;

// A tag of a subset as a number: its place in the sorted list of all tags.
using TagId = size_t;

struct Tag {
  std::string key;
  std::string value;
  auto operator<=>(const Tag&) const = default;
};

// The order of the tags is the one in which `intersect` visits them.
absl::StatusOr<std::vector<Tag>> tags_of(const TargetRef& target) {
  auto subset = subset_of(target);
  if (!subset) {
    return absl::InvalidArgumentError(
        fmt::format("can't represent {} as tags", kind_name(target.kind)));
  }
  std::vector<Tag> tags;
  for (SubsetTag& tag : *subset) {
    tags.push_back({std::move(tag.key), std::move(tag.value)});
  }
  return tags;
}

// Builds the list for one list of items. The reference enumerates all sign vectors over a component's tags and drops the
// contradictory ones; here only the others are visited, in the same order: for each key either one value holds or none.
class Builder {
 public:
  explicit Builder(const std::vector<RuleItem>& items) : items_(items) {}

  absl::StatusOr<RulesPtr> build() {
    KUMA_RETURN_IF_ERROR(read_items());
    for (const std::vector<size_t>& component : components()) {
      KUMA_RETURN_IF_ERROR(add_component(component));
    }
    std::ranges::stable_sort(rules_, std::ranges::greater(), [](const Rule& rule) {
      return std::ranges::count(rule.subset, false, &SubsetTag::negated);
    });
    return std::make_shared<const Rules>(std::move(rules_));
  }

 private:
  // One key of a component and its values, all by their tags.
  using Key = std::vector<TagId>;

  absl::Status read_items() {
    std::vector<std::vector<Tag>> subsets;
    std::set<Tag> all;
    for (const RuleItem& item : items_) {
      KUMA_ASSIGN_OR_RETURN(std::vector<Tag> tags, tags_of(item.target));
      all.insert(tags.begin(), tags.end());
      subsets.push_back(std::move(tags));
    }
    tags_.assign(all.begin(), all.end());
    for (const Tag& tag : tags_) {
      key_of_.push_back(key_of_.empty() ? 0 : key_of_.back() + (tag.key == tags_[key_of_.size() - 1].key ? 0 : 1));
    }
    items_with_.resize(tags_.size());
    for (size_t i = 0; i < subsets.size(); ++i) {
      std::vector<TagId> ids;
      for (const Tag& tag : subsets[i]) {
        ids.push_back(static_cast<TagId>(std::ranges::lower_bound(tags_, tag) - tags_.begin()));
        items_with_[ids.back()].push_back(i);
      }
      if (ids.empty()) {
        everywhere_.push_back(i);
      }
      subsets_.push_back(std::move(ids));
    }
    hits_.resize(items_.size());
    read_policies();
    return absl::OkStatus();
  }

  // Numbers the policies in order of name, so that a rule's origins cost no comparison of each with each.
  void read_policies() {
    std::map<std::pair<std::string_view, const model::Resource*>, size_t> numbers;
    for (const RuleItem& item : items_) {
      numbers.try_emplace({item.policy->meta.name, item.policy.get()});
    }
    size_t next = 0;
    for (auto& [policy, number] : numbers) {
      number = next++;
    }
    policies_.resize(numbers.size());
    for (const RuleItem& item : items_) {
      const size_t number = numbers.at({item.policy->meta.name, item.policy.get()});
      policy_of_.push_back(number);
      policies_[number] = item.policy;
    }
  }

  // Answers yes as soon as a key is missing in `b`: what the reference does, so components come out the same.
  bool intersect(const std::vector<TagId>& a, const std::vector<TagId>& b) const {
    for (TagId tag : a) {
      auto same_key = [&](TagId other) { return key_of_[other] == key_of_[tag]; };
      auto found = std::ranges::find_if(b, same_key);
      if (b.empty() || found == b.end()) {
        return true;
      }
      if (*found != tag) {
        return false;
      }
    }
    return true;
  }

  size_t root(size_t item) {
    while (parents_[item] != item) {
      item = parents_[item] = parents_[parents_[item]];
    }
    return item;
  }

  // Groups of items that are connected by intersection, in the order in which their rules come.
  std::vector<std::vector<size_t>> components() {
    parents_.resize(items_.size());
    std::iota(parents_.begin(), parents_.end(), size_t{0});
    connect();
    std::map<size_t, std::vector<size_t>> groups;
    for (size_t i = 0; i < items_.size(); ++i) {
      groups[root(i)].push_back(i);
    }
    std::vector<std::pair<std::string, std::vector<size_t>>> named;
    for (auto& [first, ids] : groups) {
      named.emplace_back(fmt::format("{}", fmt::join(ids, ":")), std::move(ids));
    }
    std::ranges::sort(named, std::ranges::greater());
    std::vector<std::vector<size_t>> ordered;
    for (auto& [text, ids] : named) {
      ordered.push_back(std::move(ids));
    }
    return ordered;
  }

  // Equal subsets intersect, an empty one intersects all, and single tags intersect unless they have one key: only
  // subsets with several tags need to be compared with each other one.
  void connect() {
    std::map<std::vector<TagId>, size_t> distinct;
    for (size_t i = 0; i < items_.size(); ++i) {
      auto [first, is_new] = distinct.emplace(subsets_[i], i);
      parents_[root(i)] = root(everywhere_.empty() ? first->second : 0);
    }
    if (!everywhere_.empty()) {
      return;
    }
    std::vector<size_t> several;
    std::map<size_t, size_t> single_by_key;
    for (const auto& [subset, item] : distinct) {
      if (subset.size() > 1) {
        several.push_back(item);
      } else {
        single_by_key.emplace(key_of_[subset.front()], item);
      }
    }
    if (single_by_key.size() > 1) {
      for (const auto& [subset, item] : distinct) {
        if (subset.size() == 1) {
          parents_[root(item)] = root(single_by_key.begin()->second);
        }
      }
    }
    for (size_t one : several) {
      for (const auto& [subset, other] : distinct) {
        if (root(one) != root(other) && (intersect(subsets_[one], subset) || intersect(subset, subsets_[one]))) {
          parents_[root(one)] = root(other);
        }
      }
    }
  }

  std::vector<Key> keys_of(const std::vector<size_t>& component) const {
    std::set<TagId> tags;
    for (size_t item : component) {
      tags.insert(subsets_[item].begin(), subsets_[item].end());
    }
    std::vector<Key> keys;
    for (TagId tag : tags) {
      if (keys.empty() || key_of_[keys.back().front()] != key_of_[tag]) {
        keys.emplace_back();
      }
      keys.back().push_back(tag);
    }
    return keys;
  }

  // A choice per key: its last value, …, its first value, none. Counting up with the first key as the fastest digit visits
  // the sign vectors in ascending order. The vector of all positives, which exists when each key has one value, is the
  // number 0 and comes last in the reference.
  absl::Status add_component(const std::vector<size_t>& component) {
    const std::vector<Key> keys = keys_of(component);
    size_t count = 1;
    for (const Key& key : keys) {
      count *= key.size() + 1;
      if (count > kRulesMax) {
        return absl::ResourceExhaustedError(
            fmt::format("the targets combine to more than {} rules: {} keys occur together", kRulesMax, keys.size()));
      }
    }
    bool all_positive_exists = std::ranges::all_of(keys, [](const Key& key) { return key.size() == 1; });
    std::vector<size_t> choice(keys.size(), 0);
    for (size_t i = 0; i < count; ++i) {
      if (i > 0 || !all_positive_exists) {
        add_rule(keys, choice);
      }
      for (size_t k = 0; k < keys.size() && ++choice[k] > keys[k].size(); ++k) {
        choice[k] = 0;
      }
    }
    if (all_positive_exists) {
      add_rule(keys, choice);  // back at the start
    }
    return absl::OkStatus();
  }

  void add_rule(const std::vector<Key>& keys, const std::vector<size_t>& choice) {
    std::vector<size_t> collected = everywhere_;
    touched_.clear();
    for (size_t k = 0; k < keys.size(); ++k) {
      if (choice[k] == keys[k].size()) {
        continue;
      }
      for (size_t item : items_with_[chosen(keys[k], choice[k])]) {
        touched_.push_back(item);
        if (++hits_[item] == subsets_[item].size()) {
          collected.push_back(item);
        }
      }
    }
    for (size_t item : touched_) {
      hits_[item] = 0;
    }
    if (collected.empty()) {
      return;
    }
    std::ranges::sort(collected);
    Subset subset;
    for (size_t k = 0; k < keys.size(); ++k) {
      if (choice[k] < keys[k].size()) {
        const Tag& tag = tags_[chosen(keys[k], choice[k])];
        subset.push_back({tag.key, tag.value, false});
        continue;
      }
      for (TagId id : keys[k]) {
        subset.push_back({tags_[id].key, tags_[id].value, true});
      }
    }
    rules_.push_back({std::move(subset), conf_of(std::move(collected))});
  }

  static TagId chosen(const Key& key, size_t choice) { return key[key.size() - 1 - choice]; }

  std::shared_ptr<const RuleConf> conf_of(std::vector<size_t> collected) {
    auto [entry, is_new] = confs_.try_emplace(std::move(collected));
    if (!is_new) {
      return entry->second;
    }
    std::vector<const json::value*> confs;
    std::vector<size_t> origins;
    auto conf = std::make_shared<RuleConf>();
    for (size_t item : entry->first) {
      confs.push_back(&items_[item].conf);
      origins.push_back(policy_of_[item]);
    }
    std::ranges::sort(origins);
    const auto repeated = std::ranges::unique(origins);
    origins.erase(repeated.begin(), repeated.end());
    for (size_t policy : origins) {
      conf->origins.push_back(policies_[policy]);
    }
    conf->value = merge_confs(confs);
    conf->text = to_json(conf->value);
    return entry->second = std::move(conf);
  }

  const std::vector<RuleItem>& items_;
  std::vector<Tag> tags_;                        // of all items, sorted
  std::vector<size_t> key_of_;                   // by tag: the place of its key among all keys
  std::vector<std::vector<TagId>> subsets_;      // by item
  std::vector<std::vector<size_t>> items_with_;  // by tag
  std::vector<size_t> everywhere_;               // items without tags
  std::vector<size_t> policy_of_;                // by item
  mesh::ResourceList policies_;                  // by name, each once
  std::vector<size_t> parents_;
  std::vector<size_t> hits_;                     // by item, all 0 between rules
  std::vector<size_t> touched_;
  std::map<std::vector<size_t>, std::shared_ptr<const RuleConf>> confs_;
  std::vector<Rule> rules_;
};

bool tag_contains(const SubsetTag& a, const SubsetTag& b) {
  if (a.negated == b.negated) {
    return a.value == b.value;
  }
  return a.negated && a.value != b.value;
}

}  // namespace

std::optional<Subset> subset_of(const TargetRef& target) {
  Subset subset;
  switch (target.kind) {
    case TargetKind::MeshGateway:
    case TargetKind::MeshHTTPRoute:
      return std::nullopt;
    case TargetKind::MeshService:
    case TargetKind::MeshServiceSubset:
      subset.push_back({std::string(mesh::kServiceTag), target.name});
      break;
    case TargetKind::Mesh:
    case TargetKind::MeshSubset:
      break;
  }
  if (target.kind == TargetKind::MeshSubset || target.kind == TargetKind::MeshServiceSubset) {
    for (const auto& [key, value] : target.tags) {
      if (SubsetTag tag{key, value}; std::ranges::find(subset, tag) == subset.end()) {
        subset.push_back(std::move(tag));
      }
    }
  }
  return subset;
}

bool contains(const Subset& a, const Subset& b) {
  return std::ranges::all_of(a, [&](const SubsetTag& tag) {
    bool has_key = false;
    for (const SubsetTag& other : b) {
      if (other.key == tag.key) {
        has_key = true;
        if (!tag_contains(tag, other)) {
          return false;
        }
      }
    }
    return has_key;
  });
}

Rules::Rules(std::vector<Rule> list) : list_(std::move(list)) {
  for (size_t i = 0; i < list_.size(); ++i) {
    const Subset& subset = list_[i].subset;
    if (subset.size() == 1 && subset[0].key == kServiceTag && !subset[0].negated) {
      by_service_.try_emplace(subset[0].value, i);
    } else if (std::ranges::all_of(subset, [](const SubsetTag& tag) { return tag.key == kServiceTag; })) {
      other_.push_back(i);
    }
  }
}

const Rule* Rules::find(const Subset& subset) const {
  auto found = std::ranges::find_if(list_, [&](const Rule& rule) { return contains(rule.subset, subset); });
  return found == list_.end() ? nullptr : &*found;
}

const Rule* Rules::find_service(std::string_view service) const {
  const Rule* best = nullptr;
  if (auto found = by_service_.find(to_absl(service)); found != by_service_.end()) {
    best = &list_[found->second];
  }
  const Subset subset = {{std::string(kServiceTag), std::string(service), false}};
  for (size_t i : other_) {
    if (best != nullptr && best < &list_[i]) {
      break;
    }
    if (contains(list_[i].subset, subset)) {
      return &list_[i];
    }
  }
  return best;
}

namespace {

json::value conf_of(const model::ResourceType& type, const json::value& entry) {
  if (type.conf_of_item != nullptr) {
    return type.conf_of_item(entry);
  }
  const json::value* conf = find(entry, "default");
  return conf == nullptr ? json::value(json::object()) : *conf;
}

}  // namespace

std::vector<RuleItem> rule_items(const model::ResourcePtr& policy, std::string_view list) {
  std::vector<RuleItem> items;
  if (list.empty()) {
    if (const json::value* conf = find(policy->spec, "default")) {
      items.push_back({TargetRef{}, *conf, policy});
    }
    return items;
  }
  const json::value* entries = find(policy->spec, list);
  if (entries == nullptr || !entries->is_array()) {
    return items;
  }
  for (const json::value& entry : entries->get_array()) {
    auto target = parse_target_ref(entry, "targetRef");
    if (!target) {
      continue;
    }
    items.push_back({*std::move(target), conf_of(*policy->type, entry), policy});
  }
  return items;
}

absl::StatusOr<RulesPtr> build_rules(const std::vector<RuleItem>& items) { return Builder(items).build(); }

}  // namespace kuma::policy
