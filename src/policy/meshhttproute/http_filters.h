#pragma once

#include <string>
#include <vector>

#include "envoy/config/route/v3/route_components.pb.h"
#include "policy/conf_view.h"

namespace kuma::policy::meshhttproute {

// What a rule's filters do to a route, in order. `mirrors`: see HttpRule. `whole_path`: the route is for one path or those of
// a regular expression, not for all that have a prefix. What can't be done after a redirect is left out.
void apply_filters(const ConfView& filters, const std::vector<std::string>& mirrors, bool whole_path,
                   ::envoy::config::route::v3::Route& route);

}  // namespace kuma::policy::meshhttproute
