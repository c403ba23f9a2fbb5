#include "api/inspect_view.h"
#include "api/paging.h"
#include "api/response.h"
#include "api/routes.h"
#include "api/titles.h"
#include "base/status.h"
#include "policy/legacy.h"
#include "policy/matched.h"

namespace kuma::api {
namespace {

using policy::SelectorList;

// Whether a policy applies to a dataplane in any way: by its top-level targetRef, its selectors, or as a source or a
// destination.
bool applies(const model::Resource& policy, const mesh::MeshView& view, const mesh::DataplaneView& dataplane) {
  if (policy.type->is_target_ref) {
    return !policy::selected_inbounds(policy, view, dataplane, policy::selectable_inbounds(view, dataplane)).empty();
  }
  for (const SelectorList list : {SelectorList::Selectors, SelectorList::Sources, SelectorList::Destinations}) {
    if (policy::has_list(policy, list) && policy::best_rank(policy, list, dataplane.tag_sets)) {
      return true;
    }
  }
  return false;
}

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
  const auto paging = read_paging(request.query, titles::kRetrieveList);
  if (const auto* error = std::get_if<ApiError>(&paging)) {
    return error_response(*error);
  }
  const auto policy = deps.store.get(type, key_of(request));
  if (!policy.ok()) {
    return error_response(policy.status(), "Could not retrieve policy");
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

}  // namespace

void add_inspect_routes(Router& router, const ApiDeps& deps) {
  for (const model::ResourceType& type : deps.registry.types()) {
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
