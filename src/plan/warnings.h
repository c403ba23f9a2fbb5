#pragma once

#include "plan/plan.h"

namespace kuma::plan {

// What of a targetRef policy does nothing, since what it is for is not there: a target that selects no dataplane, an entry for a
// service that nobody offers.
std::vector<std::string> without_effect(const model::ResourcePtr& policy, const mesh::MeshView& view);

// Adds a warning that is not there yet, up to the limit.
void warn(Plan& plan, const Limits& limits, std::string text);

// What somebody who applies the change should know: a target that selects nothing, a service that nobody offers, a service
// left without any client that may reach it.
void add_warnings(const mesh::MeshUpdate& update, const Limits& limits, Plan& plan);

}  // namespace kuma::plan
