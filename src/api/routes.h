#pragma once

#include "api/router.h"

// The groups of endpoints, a file each. `deps` outlives the router.
namespace kuma::api {

// Create, read, update, delete and lists of every type of the registry with a path.
void add_resource_routes(Router& router, const ApiDeps& deps);
// `…/_overview` and its older names: a proxy or zone together with its insight.
void add_overview_routes(Router& router, const ApiDeps& deps);
// service-insights, global-insight, global-insights, status/zones.
void add_insight_routes(Router& router, const ApiDeps& deps);
// `/`, config, policies, who-am-i.
void add_index_routes(Router& router, const ApiDeps& deps);
void add_token_routes(Router& router, const ApiDeps& deps);
// `…/xds`, `…/stats`, `…/clusters` of proxies.
void add_envoy_admin_routes(Router& router, const ApiDeps& deps);
// What applies to a dataplane, and to which dataplanes a policy applies.
void add_inspect_routes(Router& router, const ApiDeps& deps);
// What is left out of dataplanes' configurations, and why; of a dataplane, and of a policy.
void add_problem_routes(Router& router, const ApiDeps& deps);

// `/meshes/{mesh}/_plan`: what a change would do; `…/dataplanes/{name}/_explain`: why a dataplane does what it does.
void add_plan_routes(Router& router, const ApiDeps& deps);
// `/meshes/{mesh}/_names?name=`: the names of transparent proxies, their addresses, where they lead and who asked for them, and
// what names can't be had.
void add_name_routes(Router& router, const ApiDeps& deps);

// Whether the API refuses to write a type here (spec/rest-api.md §10).
bool is_read_only(const model::ResourceType& type, const config::Config& config);
// The paths of a type's items and lists, with `{mesh}` and `{name}`.
std::string list_path(const model::ResourceType& type);        // /meshes/{mesh}/dataplanes, /zones
std::string all_meshes_path(const model::ResourceType& type);  // /dataplanes
std::string item_path(const model::ResourceType& type);
// The key that the parameters of a route name.
model::ResourceKey key_of(const Request& request);

}  // namespace kuma::api
