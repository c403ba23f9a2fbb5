#include "api/paging.h"
#include "api/response.h"
#include "api/routes.h"
#include "api/titles.h"
#include "base/status.h"
#include "model/rest.h"

namespace kuma::api {
namespace {

using model::ResourceType;

// A type with an insight, and the older names of its overviews, which follow no rule.
struct OverviewType {
  const ResourceType* type = nullptr;
  const ResourceType* insight = nullptr;
  std::string member;          // "dataplane"
  std::string insight_member;  // "dataplaneInsight"
  std::string old_list{}, old_item{}, old_all_meshes{};
};

std::string lower_first(std::string_view name) {
  std::string out(name);
  out[0] = static_cast<char>(out[0] - 'A' + 'a');
  return out;
}

json::object overview(const OverviewType& type, const model::Resource& resource, const model::Resource* insight) {
  json::object full = model::to_rest(resource);
  json::object out;
  out["type"] = fmt::format("{}Overview", type.type->name);
  for (const char* member : {"mesh", "name", "creationTime", "modificationTime"}) {
    if (auto* value = full.if_contains(member)) {
      out[member] = std::move(*value);
    }
  }
  out[type.member] = model::spec_to_json(resource);
  if (insight != nullptr) {
    out[type.insight_member] = model::spec_to_json(*insight);
  }
  return out;
}

model::ResourcePtr insight_of(const ApiDeps& deps, const OverviewType& type, const model::Resource& resource) {
  auto insight = deps.store.get(*type.insight, resource.meta.key());
  return insight.ok() ? *insight : nullptr;
}

net::HttpResponse get_overview(const ApiDeps& deps, const OverviewType& type, const Request& request) {
  const auto resource = deps.store.get(*type.type, key_of(request));
  if (!resource.ok()) {
    return error_response(resource.status(), titles::kRetrieve);
  }
  const model::ResourcePtr insight = insight_of(deps, type, **resource);
  json::object body = overview(type, **resource, insight.get());
  if (insight == nullptr) {
    body[type.insight_member] = json::object();
  }
  return json_response(200, body);
}

net::HttpResponse list_overviews(const ApiDeps& deps, const OverviewType& type, const Request& request) {
  const auto paging = read_paging(request.query, titles::kRetrieveList);
  if (const auto* error = std::get_if<ApiError>(&paging)) {
    return error_response(*error);
  }
  auto filter = read_filter(request, *type.type, titles::kRetrieveList);
  if (const auto* error = std::get_if<ApiError>(&filter)) {
    return error_response(*error);
  }
  const store::ListResult page =
      list_page(deps.store, *type.type, request, std::get<Paging>(paging), std::move(std::get<ResourceFilter>(filter)));
  json::array items;
  items.reserve(page.items.size());
  for (const model::ResourcePtr& resource : page.items) {
    items.push_back(overview(type, *resource, insight_of(deps, type, *resource).get()));
  }
  return json_response(200, list_body(request, std::get<Paging>(paging), page.total, std::move(items)));
}

OverviewType overview_type(const model::Registry& registry, const ResourceType& type) {
  OverviewType out{.type = &type,
                   .insight = registry.find(type.insight_type),
                   .member = lower_first(type.name),
                   .insight_member = lower_first(type.name) + "Insight"};
  if (type.name == "Dataplane") {
    out.old_list = "/meshes/{mesh}/dataplanes+insights";
    out.old_all_meshes = "/dataplanes+insights";
  } else if (type.name == "ZoneIngress") {
    out.old_list = "/zoneingresses+insights";
  } else if (type.name == "ZoneEgress") {
    out.old_list = "/zoneegressoverviews";
  } else if (type.name == "Zone") {
    out.old_list = "/zones+insights";
  }
  if (!out.old_list.empty()) {
    out.old_item = out.old_list + "/{name}";
  }
  return out;
}

}  // namespace

void add_overview_routes(Router& router, const ApiDeps& deps) {
  for (const ResourceType& type : deps.registry.types()) {
    if (type.insight_type.empty() || deps.registry.find(type.insight_type) == nullptr) {
      continue;
    }
    const OverviewType overviews = overview_type(deps.registry, type);
    const auto list = [&deps, overviews](const Request& request) { return list_overviews(deps, overviews, request); };
    const auto item = [&deps, overviews](const Request& request) { return get_overview(deps, overviews, request); };
    std::vector<std::string> lists = {list_path(type) + "/_overview", overviews.old_list, overviews.old_all_meshes};
    if (type.scope == model::Scope::Mesh) {
      lists.push_back(all_meshes_path(type) + "/_overview");
    }
    for (const std::string& path : lists) {
      if (!path.empty()) {
        router.add({.method = "GET", .path = path, .handler = list, .run_on = RunOn::WorkerIfLarge});
      }
    }
    for (const std::string& path : {item_path(type) + "/_overview", overviews.old_item}) {
      if (!path.empty()) {
        router.add({.method = "GET", .path = path, .handler = item});
      }
    }
  }
}

}  // namespace kuma::api
