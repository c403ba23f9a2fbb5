#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "mesh/mesh_view.h"
#include "policy/target_ref.h"

namespace kuma::policy {

// Rules say what the `from` or `to` items of all policies on a proxy mean together: the tag sets of peers are cut into
// subsets, each with the settings that all items containing it merge to (spec/policy-matching.md §3).

struct SubsetTag {
  std::string key;
  std::string value;
  bool negated = false;
  bool operator==(const SubsetTag&) const = default;
};
// All tags have to hold; empty: everything. Ordered by key, then value.
using Subset = std::vector<SubsetTag>;

// Whether every peer in `b` is in `a`. A key that `b` does not mention is never contained in a tag of `a`, negated or not.
bool contains(const Subset& a, const Subset& b);

// The tags that a target stands for, the service first, then by key; nothing for a MeshGateway or MeshHTTPRoute, which are no
// tag sets.
std::optional<Subset> subset_of(const TargetRef& target);

// One entry of a policy's `from` or `to`.
struct RuleItem {
  TargetRef target;
  json::value conf;
  model::ResourcePtr policy;
};

// The entries of a policy's `list`: "from", "to", or "" for its one `default`.
std::vector<RuleItem> rule_items(const model::ResourcePtr& policy, std::string_view list);

// What the items of a rule merge to. Rules that come from the same items share one.
struct RuleConf {
  json::value value;
  std::string text;             // of value, on one line: equal texts are equal settings
  mesh::ResourceList origins;   // the policies it comes from, by name, each once
};

struct Rule {
  Subset subset;
  std::shared_ptr<const RuleConf> conf;
};

// Immutable; made once for all proxies on which the same policies match.
class Rules {
 public:
  Rules() = default;
  explicit Rules(std::vector<Rule> list);

  const std::vector<Rule>& list() const { return list_; }
  bool empty() const { return list_.empty(); }

  // The first rule that contains the subset; null: none does.
  const Rule* find(const Subset& subset) const;
  // The same for {kuma.io/service: service}, in constant time where services are told apart by name only.
  const Rule* find_service(std::string_view service) const;

 private:
  std::vector<Rule> list_;
  absl::flat_hash_map<std::string, size_t> by_service_;  // the first rule of exactly that service
  std::vector<size_t> other_;                            // rules that negate services, or are for everything
};
using RulesPtr = std::shared_ptr<const Rules>;

// A list has at most this many rules. It is reached only with many keys whose values all combine, where the list of the
// reference would have as many.
inline constexpr size_t kRulesMax = 100'000;

// The rules in the reference's order, in time linear in the length of the list. ResourceExhausted above kRulesMax;
// InvalidArgument for a target that is no tag set (`can't represent MeshGateway as tags`).
absl::StatusOr<RulesPtr> build_rules(const std::vector<RuleItem>& items);

}  // namespace kuma::policy
