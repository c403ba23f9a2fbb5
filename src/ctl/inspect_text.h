#pragma once

#include <string>

#include "base/json.h"

namespace kuma::ctl {

// The tree that `inspect dataplane NAME` prints of GET …/dataplanes/{name}/policies.
std::string policies_text(const json::value& answer);
// What `inspect <policy> NAME` prints of GET …/{policy}/dataplanes.
std::string affected_text(const json::value& answer);

}  // namespace kuma::ctl
