#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "ctl/api_client.h"
#include "model/resource.h"

namespace kuma::ctl {

// `apply --plan`: what the resources would change, asked of the control plane, with nothing stored.

// The answers of `_plan` for the resources, mesh by mesh, each with "mesh" added. InvalidArgument for resources that are of
// no mesh: a plan tells what proxies would get.
absl::StatusOr<std::vector<json::value>> plan(const ApiClient& client, const std::vector<model::Resource>& resources);
// One answer, for people.
std::string plan_text(const json::value& answer);
// An answer of `_explain`, for people.
std::string explanation_text(const json::value& answer);

}  // namespace kuma::ctl
