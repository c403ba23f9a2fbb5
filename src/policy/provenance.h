#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "policy/rules.h"

namespace kuma::policy {

// Where the settings of a rule come from. The merge (rules.h) says what holds; this says why, for people who ask.

// One entry of a policy that has a setting.
struct Candidate {
  model::ResourcePtr policy;
  std::string place;    // "to[1]", "from[0]"; "default" of policies with neither
  json::value value;
  std::string reason;   // why it lost: another one is narrower, or comes later; empty: it counts
};

// A setting of the merged configuration: a path down to something that is no object.
struct Setting {
  std::string path;     // "http.requestTimeout"
  json::value value;    // that holds
  // All that have it, in the order in which they were merged. The last one counts; of lists that are appended all do.
  std::vector<Candidate> candidates;

  const Candidate& winner() const { return candidates.back(); }
};

// The settings for `peer` (empty: for everything) of one type's policies, which are in the order of
// MatchedPolicies::policies. `list`: "from", "to" or "" for policies with neither. Ordered by path.
std::vector<Setting> settings_of(const mesh::ResourceList& policies, std::string_view list, const Subset& peer);

}  // namespace kuma::policy
