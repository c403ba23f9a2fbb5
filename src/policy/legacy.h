#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "mesh/selection.h"

namespace kuma::policy {

// How the policies with selectors (TrafficRoute, Timeout, …) are chosen: of all that match, the most specific one alone
// has effect; nothing is merged (spec/legacy-policies.md §1).

using mesh::best_rank;
using mesh::has_list;
using mesh::Match;
using mesh::match_rank;
using mesh::Rank;
using mesh::SelectorList;

// The service that stands for what no outbound is for, and for all that a gateway serves.
inline constexpr std::string_view kPassThroughService = "pass_through";

// The policies of one type that a dataplane is a source of, ready to be asked by destination. Looks at each policy once;
// `select` is constant time. The list has to outlive it.
class OutboundPolicies {
 public:
  OutboundPolicies(const mesh::ResourceList& policies, const mesh::DataplaneView& dataplane);
  // Null: no policy for this destination.
  const model::ResourcePtr* select(std::string_view service) const;

 private:
  struct Candidate {
    const model::ResourcePtr* policy = nullptr;
    Rank rank;     // of source and destination
    size_t order;  // in the list
  };
  static bool better(const Candidate& a, const Candidate& b);

  absl::flat_hash_map<std::string, Candidate> by_service_;
  std::optional<Candidate> any_;  // `*` and empty matches
};

// The one policy for an inbound with these tags, by destinations; null: none.
const model::ResourcePtr* select_for_inbound(const mesh::ResourceList& policies, const mesh::Tags& tags);
// All policies for an inbound by its tags among destinations: those whose first source is most specific first, then the
// newest first.
mesh::ResourceList all_for_inbound(const mesh::ResourceList& policies, const mesh::Tags& tags);
// The one policy for a dataplane, by `selectors`; null: none.
const model::ResourcePtr* select_for_dataplane(const mesh::ResourceList& policies, const mesh::DataplaneView& dataplane);

// Which proxies a change of a policy with selectors may concern.
struct LegacyReach {
  bool known = false;     // false: not such a policy
  bool outbound = false;  // proxies among its sources that talk to its destinations
  bool inbound = false;   // proxies that are its destinations
  bool selected = false;  // proxies that its selectors select
};
LegacyReach legacy_reach(std::string_view type);

// Whether a policy is one for `service` when it is a destination.
bool has_destination(const model::Resource& policy, std::string_view service);

}  // namespace kuma::policy
