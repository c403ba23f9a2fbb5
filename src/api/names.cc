#include <algorithm>

#include "api/inspect_view.h"
#include "api/response.h"
#include "api/routes.h"
#include "mesh/vips.h"

namespace kuma::api {
namespace {

constexpr std::string_view kTitle = "Could not retrieve names";

json::object tags_object(const mesh::Tags& tags) {
  json::object out;
  for (const auto& [key, value] : tags) {
    out[key] = value;
  }
  return out;
}

json::array items_of(const mesh::Vips& vips, std::string_view wanted) {
  json::array items;
  for (const auto& [key, entry] : vips.table) {
    const auto known = vips.names.find(entry.address);
    json::array names;
    if (key.kind == mesh::VipKind::Service && known != vips.names.end()) {
      names = json::array(known->second.begin(), known->second.end());
    } else {
      names.push_back(json::value(key.name));
    }
    const bool is_wanted = wanted.empty() || entry.address == wanted ||
                           std::ranges::any_of(names, [&](const json::value& name) {
                             return std::string_view(name.get_string()).find(wanted) != std::string_view::npos;
                           });
    if (!is_wanted) {
      continue;
    }
    json::array destinations;
    for (const mesh::VipPort& port : entry.ports) {
      json::object destination;
      if (port.port != 0) {
        destination["port"] = port.port;
      }
      destination["tags"] = tags_object(port.tags);
      destination["origin"] = port.origin;
      destinations.push_back(std::move(destination));
    }
    items.push_back(json::object{
        {"names", std::move(names)}, {"address", entry.address}, {"destinations", std::move(destinations)}});
  }
  return items;
}

net::HttpResponse get_names(const ApiDeps& deps, const Request& request) {
  const mesh::MeshViewPtr view = inspect_view(deps, request.param("mesh"));
  if (view == nullptr) {
    return error_response(ApiError{404, std::string(kTitle), "Not found"});
  }
  json::array items = view->vips == nullptr ? json::array() : items_of(*view->vips, request.query.get("name"));
  json::object body;
  body["total"] = items.size();
  body["items"] = std::move(items);
  json::array problems;
  if (deps.name_problems != nullptr) {
    for (const std::string& problem : deps.name_problems(view->name)) {
      problems.push_back(json::value(problem));
    }
  }
  body["problems"] = std::move(problems);
  return json_response(200, body);
}

}  // namespace

void add_name_routes(Router& router, const ApiDeps& deps) {
  router.add({.method = "GET",
              .path = "/meshes/{mesh}/_names",
              .handler = [&deps](const Request& request) { return get_names(deps, request); },
              .run_on = RunOn::Worker});
}

}  // namespace kuma::api
