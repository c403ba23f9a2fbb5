#pragma once

#include <span>
#include <string_view>

#include "base/json.h"

namespace kuma::policy {

// Merges settings, the later over the earlier (spec/policy-matching.md §4): objects member by member, everything else as a
// whole, but for lists whose name begins with `append`, which grow, and `Rules`, whose elements with equal `matches` merge.
json::value merge_confs(std::span<const json::value* const> confs);

}  // namespace kuma::policy
