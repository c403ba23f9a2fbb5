#include "api/response.h"
#include "api/routes.h"
#include "base/status.h"
#include "base/version.h"
#include "config/load.h"

namespace kuma::api {
namespace {

net::HttpResponse get_index(const ApiDeps& deps, const Request&) {
  json::object body;
  body["hostname"] = deps.hostname;
  body["tagline"] = kProduct;
  body["product"] = kProduct;
  body["version"] = kVersion;
  body["instanceId"] = deps.instance_id;
  body["clusterId"] = deps.cluster_id ? deps.cluster_id() : std::string();
  const config::ApiServer::Gui& gui = deps.config.api_server.gui;
  if (gui.enabled && !deps.config.is_zone()) {
    body["gui"] = gui.root_url.empty() ? gui.base_path : gui.root_url;
  }
  return json_response(200, body);
}

json::object policy_entry(const ApiDeps& deps, const model::ResourceType& type) {
  return {{"name", type.name},
          {"readOnly", is_read_only(type, deps.config)},
          {"path", type.path},
          {"singularDisplayName", type.display_singular},
          {"pluralDisplayName", type.display_plural},
          {"isExperimental", false},
          {"isTargetRefBased", type.is_target_ref},
          {"isInbound", type.has_from},
          {"isOutbound", type.has_to}};
}

net::HttpResponse get_policies(const ApiDeps& deps, const Request&) {
  json::array policies;
  for (const model::ResourceType& type : deps.registry.types()) {
    if (type.is_policy) {
      policies.push_back(policy_entry(deps, type));
    }
  }
  return json_response(200, json::object{{"policies", std::move(policies)}});
}

net::HttpResponse get_who_am_i(const Request& request) {
  return json_response(200,
                       json::object{{"name", request.user.name},
                                    {"groups", json::array(request.user.groups.begin(), request.user.groups.end())}});
}

}  // namespace

void add_index_routes(Router& router, const ApiDeps& deps) {
  router.add(
      {.method = "GET", .path = "/", .handler = [&deps](const Request& request) { return get_index(deps, request); }});
  router.add(
      {.method = "GET", .path = "/config", .handler = [body = config::to_sanitized_json(deps.config)](const Request&) {
         return text_response(200, body, kJsonType);
       }});
  router.add({.method = "GET", .path = "/policies", .handler = [&deps](const Request& request) {
                return get_policies(deps, request);
              }});
  router.add({.method = "GET", .path = "/who-am-i", .handler = get_who_am_i});
}

}  // namespace kuma::api
