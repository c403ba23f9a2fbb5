#pragma once

#include <string>

#include "base/clock.h"
#include "base/json.h"

namespace kuma::ctl {

// The tree that `inspect dataplane NAME` prints of GET …/dataplanes/{name}/policies.
std::string policies_text(const json::value& answer);
// What `inspect <policy> NAME` prints of GET …/{policy}/dataplanes.
std::string affected_text(const json::value& answer);

// What is wrong with zones' connections: of a list of zone overviews, and of those that GET /zones/_refused tells of. Empty: nothing.
std::string zone_problems_text(const json::value& overviews, const json::value& refused, WallTime now);

}  // namespace kuma::ctl
