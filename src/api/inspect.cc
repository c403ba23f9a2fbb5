#include "api/attachments.h"
#include "api/inspect_gateways.h"
#include "api/inspect_rules.h"
#include "api/inspect_view.h"
#include "api/paging.h"
#include "api/response.h"
#include "api/routes.h"
#include "api/titles.h"
#include "base/status.h"
#include "base/text.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "model/gateways.h"
#include "policy/legacy.h"
#include "policy/matched.h"

namespace kuma::api {
namespace {

constexpr std::string_view kPolicyTitle = "Could not retrieve policy";

json::object dataplane_item(const model::Resource& dataplane) {
  return {{"mesh", dataplane.meta.mesh}, {"name", dataplane.meta.name}, {"type", "Dataplane"}};
}

json::object page_body(const Request& request, const Paging& paging, const std::vector<model::ResourcePtr>& found) {
  const size_t size = paging.size < 0 ? 0 : static_cast<size_t>(paging.size);
  const size_t first = std::min(paging.offset, found.size());
  const size_t count = paging.all() ? found.size() - first : std::min(size, found.size() - first);
  json::array items;
  items.reserve(count);
  for (size_t i = first; i < first + count; ++i) {
    items.push_back(dataplane_item(*found[i]));
  }
  json::object body;
  body["items"] = std::move(items);
  if (const auto next = next_link(request, paging, found.size())) {
    body["next"] = *next;
  }
  body["total"] = found.size();
  return body;
}

net::HttpResponse get_policy_dataplanes(const ApiDeps& deps, const model::ResourceType& type, const Request& request) {
  const auto paging = read_paging(request.query, kPolicyTitle);
  if (const auto* error = std::get_if<ApiError>(&paging)) {
    return error_response(*error);
  }
  const auto policy = deps.store.get(type, key_of(request));
  if (!policy.ok()) {
    return error_response(policy.status(), kPolicyTitle);
  }
  const mesh::MeshViewPtr view = inspect_view(deps, request.param("mesh"));
  const std::string_view name = request.query.get("name");
  std::vector<model::ResourcePtr> found;
  if (view != nullptr) {
    for (const auto& [key, dataplane] : view->dataplanes) {
      if (key.name.find(name) != std::string::npos && applies(**policy, *view, *dataplane)) {
        found.push_back(dataplane->resource);
      }
    }
  }
  return json_response(200, page_body(request, std::get<Paging>(paging), found));
}

// ---- what applies to a dataplane

json::object attachment_object(const Attachment& attachment) {
  json::object out;
  out["type"] = attachment.type;
  if (!attachment.name.empty()) {
    out["name"] = attachment.name;
  }
  if (!attachment.service.empty()) {
    out["service"] = attachment.service;
  }
  return out;
}

bool is_builtin_gateway(const mesh::DataplaneView& dataplane) {
  return model::is_builtin_gateway(dataplane.resource->as<::kuma::mesh::v1alpha1::Dataplane>());
}

net::HttpResponse policies_response(const mesh::MeshView& view, const mesh::DataplaneView& dataplane) {
  if (is_builtin_gateway(dataplane)) {
    return json_response(200, gateway_policies(view, dataplane));
  }
  json::array items;
  for (const Attachment& attachment : attachments_of(view, dataplane)) {
    json::object matched;
    for (const auto& [type, policies] : attachment.policies) {
      json::array metas;
      for (const model::ResourcePtr& policy : policies) {
        metas.push_back(policy_meta(*policy));
      }
      matched[type] = std::move(metas);
    }
    json::object item = attachment_object(attachment);
    item["matchedPolicies"] = std::move(matched);
    items.push_back(std::move(item));
  }
  return json_response(
      200, json::object{{"kind", "SidecarDataplane"}, {"total", items.size()}, {"items", std::move(items)}});
}

net::HttpResponse list_response(json::array items) {
  json::object body;
  body["total"] = items.size();
  body["items"] = std::move(items);
  return json_response(200, body);
}

net::HttpResponse rules_response(const mesh::MeshView& view, const mesh::DataplaneView& dataplane) {
  return list_response(inspect_rules(view, dataplane));
}

using Describe = net::HttpResponse (*)(const mesh::MeshView&, const mesh::DataplaneView&);

net::HttpResponse get_dataplane(const ApiDeps& deps, Describe describe, const Request& request) {
  const mesh::MeshViewPtr view = inspect_view(deps, request.param("mesh"));
  if (view == nullptr) {
    return error_response(ApiError{500, "Could not build MeshContext", "Internal Server Error"});
  }
  const mesh::DataplaneView* dataplane = view->find_dataplane(key_of(request));
  if (dataplane == nullptr) {
    return error_response(ApiError{404, "Could not get MatchedPolicies", "Not found"});
  }
  return describe(*view, *dataplane);
}

// ---- which dataplanes a policy is attached to

json::object sidecar_item(const model::Resource& dataplane, json::array attachments) {
  return {{"kind", "SidecarDataplane"},
          {"dataplane", json::object{{"mesh", dataplane.meta.mesh}, {"name", dataplane.meta.name}}},
          {"attachments", std::move(attachments)}};
}

bool has_policy(const Attachment& attachment, std::string_view type, const std::string& name) {
  const auto policies = attachment.policies.find(type);
  return policies != attachment.policies.end() &&
         std::any_of(policies->second.begin(), policies->second.end(),
                     [&](const model::ResourcePtr& policy) { return policy->meta.name == name; });
}

net::HttpResponse get_attachments(const ApiDeps& deps, const model::ResourceType& type, const Request& request) {
  const mesh::MeshViewPtr view = inspect_view(deps, request.param("mesh"));
  if (view == nullptr) {
    return error_response(ApiError{500, "Could not list Dataplanes", "Internal Server Error"});
  }
  json::array items;
  for (const auto& [key, dataplane] : view->dataplanes) {
    if (is_builtin_gateway(*dataplane)) {
      if (auto item = gateway_attachment(*view, *dataplane, type.name, request.param("name"))) {
        items.push_back(*std::move(item));
      }
      continue;
    }
    json::array attachments;
    for (const Attachment& attachment : attachments_of(*view, *dataplane)) {
      if (has_policy(attachment, type.name, request.param("name"))) {
        attachments.push_back(attachment_object(attachment));
      }
    }
    if (!attachments.empty()) {
      items.push_back(sidecar_item(*dataplane->resource, std::move(attachments)));
    }
  }
  return list_response(std::move(items));
}

// ---- which dataplanes a gateway or a route of one is at

using ListDataplanes = json::array (*)(const mesh::MeshView&, std::string_view name);

net::HttpResponse get_gateway_dataplanes(const ApiDeps& deps, const model::ResourceType& type, ListDataplanes list,
                                         const Request& request) {
  const auto resource = deps.store.get(type, key_of(request));
  if (!resource.ok()) {
    return error_response(resource.status(), fmt::format("Could not find {}", type.name));
  }
  const mesh::MeshViewPtr view = inspect_view(deps, request.param("mesh"));
  return list_response(view == nullptr ? json::array() : list(*view, request.param("name")));
}

}  // namespace

void add_inspect_routes(Router& router, const ApiDeps& deps) {
  for (const auto& [suffix, describe] : {std::pair("/policies", &policies_response), {"/rules", &rules_response}}) {
    router.add({.method = "GET",
                .path = std::string("/meshes/{mesh}/dataplanes/{name}") + suffix,
                .handler = [&deps, describe](const Request& request) { return get_dataplane(deps, describe, request); },
                .run_on = RunOn::Worker});
  }
  for (const auto& [name, list] :
       {std::pair("MeshGateway", &dataplanes_of_gateway), {"MeshGatewayRoute", &dataplanes_of_gateway_route}}) {
    if (const model::ResourceType* type = deps.registry.find(name)) {
      router.add({.method = "GET",
                  .path = item_path(*type) + "/dataplanes",
                  .handler = [&deps, type, list](const Request& request) { return get_gateway_dataplanes(deps, *type, list, request); },
                  .run_on = RunOn::Worker});
    }
  }
  for (const model::ResourceType& type : deps.registry.types()) {
    if (type.inspectable) {
      router.add({.method = "GET",
                  .path = item_path(type) + "/dataplanes",
                  .handler = [&deps, &type](const Request& request) { return get_attachments(deps, type, request); },
                  .run_on = RunOn::Worker});
    }
    if (!type.is_policy) {
      continue;
    }
    router.add(
        {.method = "GET",
         .path = item_path(type) + "/_resources/dataplanes",
         .handler = [&deps, &type](const Request& request) { return get_policy_dataplanes(deps, type, request); },
         .run_on = RunOn::Worker});
  }
}

}  // namespace kuma::api
