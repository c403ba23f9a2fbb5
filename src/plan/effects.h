#pragma once

#include "plan/plan.h"

namespace kuma::plan {

// Which policies lose or win: the settings that another policy would decide than now, on the dataplanes where a policy of
// the changed types applies.
void add_effects(const mesh::MeshUpdate& update, const Limits& limits, Plan& plan);

}  // namespace kuma::plan
