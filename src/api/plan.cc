#include "plan/plan.h"

#include "api/access.h"
#include "api/inspect_view.h"
#include "api/response.h"
#include "api/routes.h"
#include "api/titles.h"
#include "base/status.h"
#include "model/rest.h"
#include "plan/explain.h"
#include "plan/zone_plan.h"

namespace kuma::api {
namespace {

constexpr std::string_view kPlanTitle = "Could not plan a change";
constexpr std::string_view kExplainTitle = "Could not explain a dataplane";
constexpr size_t kResourcesMax = 1'000;  // of one plan

const model::ResourceType* type_of(const ApiDeps& deps, const json::value& document) {
  const json::value* type = find(document, "type");
  return type != nullptr && type->is_string() ? deps.registry.find(std::string_view(type->get_string())) : nullptr;
}

std::string text_of(const json::value& document, std::string_view member) {
  const json::value* found = find(document, member);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

// What a plan is asked for: `items` would be applied, `delete` deleted. A body that is one resource, or a list of them, is
// short for items.
struct Wanted {
  std::vector<json::value> items;
  std::vector<json::value> removals;
};

absl::StatusOr<Wanted> read_wanted(const std::string& body) {
  KUMA_ASSIGN_OR_RETURN(json::value document, parse_json(body));
  Wanted wanted;
  const auto take = [](const json::value& list, std::vector<json::value>& to) {
    for (const json::value& one : list.get_array()) {
      to.push_back(one);
    }
  };
  if (document.is_array()) {
    take(document, wanted.items);
  } else if (find(document, "type") != nullptr) {
    wanted.items.push_back(std::move(document));
  } else {
    for (const auto& [member, to] : {std::pair("items", &wanted.items), std::pair("delete", &wanted.removals)}) {
      if (const json::value* list = find(document, member)) {
        if (!list->is_array()) {
          return absl::InvalidArgumentError(fmt::format("{} has to be a list of resources", member));
        }
        take(*list, *to);
      }
    }
  }
  const size_t count = wanted.items.size() + wanted.removals.size();
  if (count == 0 || count > kResourcesMax) {
    return absl::InvalidArgumentError(
        fmt::format("a plan is for 1 to {} resources, under items (to be applied) and delete; got {}", kResourcesMax, count));
  }
  return wanted;
}

// The changes that the store would make of it; nothing for a resource that is stored as it is.
class ChangeReader {
 public:
  ChangeReader(const ApiDeps& deps, const Request& request) : deps_(deps), request_(request), mesh_(request.param("mesh")) {}

  absl::Status add(const json::value& document, bool removal) {
    const model::ResourceType* type = type_of(deps_, document);
    if (type == nullptr) {
      return absl::InvalidArgumentError(fmt::format("there is no resource type \"{}\"", text_of(document, "type")));
    }
    const std::string name = text_of(document, "name");
    const std::string what = fmt::format("{} \"{}\"", type->name, name);
    bool of_mesh = type->scope == model::Scope::Mesh ? text_of(document, "mesh") == mesh_ : type->name == "Mesh" && name == mesh_;
    if (!of_mesh) {
      return absl::InvalidArgumentError(
          fmt::format("{} is not of the mesh \"{}\": a plan is for one mesh and the resources in it", what, mesh_));
    }
    KUMA_RETURN_IF_ERROR(check_resource_access(deps_, *type, request_.user));
    const model::ResourceKey key{type->scope == model::Scope::Mesh ? mesh_ : "", name};
    auto stored = deps_.store.get(*type, key);
    model::ResourcePtr before = stored.ok() ? *stored : nullptr;
    if (removal) {
      if (before == nullptr) {
        return absl::InvalidArgumentError(fmt::format("{} is not there: it can't be deleted", what));
      }
      changes_.push_back({.before = std::move(before), .after = nullptr});
      return absl::OkStatus();
    }
    return add_applied(*type, document, std::move(before), what);
  }

  std::vector<model::Change> take() { return std::move(changes_); }

 private:
  absl::Status add_applied(const model::ResourceType& type, const json::value& document, model::ResourcePtr before,
                           const std::string& what) {
    auto read = model::from_rest(type, document);
    if (!read.ok()) {
      return annotate(read.status(), "{}", what);
    }
    Violations violations;
    model::validate_meta(type, read->resource.meta, {.existing = before != nullptr, .zone_name = ""}, violations);
    KUMA_RETURN_IF_ERROR(violations.to_status());
    auto after = std::make_shared<model::Resource>(std::move(read->resource));
    if (before != nullptr) {
      after->meta = before->meta;
      after->owner = before->owner;
    } else {
      after->meta.creation_time = after->meta.modification_time = deps_.clock.wall_now();
    }
    changes_.push_back({.before = std::move(before), .after = std::move(after)});
    return absl::OkStatus();
  }

  const ApiDeps& deps_;
  const Request& request_;
  std::string mesh_;
  std::vector<model::Change> changes_;
};

bool mesh_exists(const ApiDeps& deps, const std::string& mesh) {
  return deps.store.get(*deps.registry.find("Mesh"), {"", mesh}).ok();
}

std::vector<std::string> other_meshes(const ApiDeps& deps, const std::string& mesh) {
  std::vector<std::string> names;
  for (const model::ResourcePtr& one : deps.store.list({.type = deps.registry.find("Mesh")}).items) {
    if (one->meta.name != mesh) {
      names.push_back(one->meta.name);
    }
  }
  return names;
}

net::HttpResponse post_plan(const ApiDeps& deps, const Request& request) {
  const std::string& mesh = request.param("mesh");
  auto wanted = read_wanted(request.http.body);
  if (!wanted.ok()) {
    return error_response(wanted.status(), kPlanTitle);
  }
  ChangeReader reader(deps, request);
  for (const json::value& document : wanted->items) {
    if (absl::Status status = reader.add(document, false); !status.ok()) {
      return error_response(status, kPlanTitle);
    }
  }
  for (const json::value& document : wanted->removals) {
    if (absl::Status status = reader.add(document, true); !status.ok()) {
      return error_response(status, kPlanTitle);
    }
  }
  if (!mesh_exists(deps, mesh)) {
    return error_response(ApiError{404, std::string(kPlanTitle), fmt::format("there is no mesh \"{}\"", mesh)});
  }
  const std::vector<model::Change> changes = reader.take();
  const Overlay overlay = overlay_view(deps, mesh, changes);
  const plan::Limits limits;
  plan::Plan plan = plan::make_plan(overlay.update, limits);
  plan::warn_of_other_meshes(overlay.update, other_meshes(deps, mesh), limits, plan);
  json::array zone_proxies;
  if (overlay.zone) {
    zone_proxies = plan::to_json_array(plan::plan_zone_proxies(*overlay.zone, plan::with_update(*overlay.zone, overlay.update), limits, plan));
  }
  json::object body = plan::to_json_object(plan);
  if (!zone_proxies.empty()) {
    body["zoneProxies"] = std::move(zone_proxies);
  }
  return json_response(200, body);
}

net::HttpResponse get_explanation(const ApiDeps& deps, const Request& request) {
  const std::string_view service = request.query.get("to");
  if (service.empty()) {
    return error_response(ApiError{400, std::string(kExplainTitle), "name the service that is asked for: ?to=SERVICE"});
  }
  const mesh::MeshViewPtr view = inspect_view(deps, request.param("mesh"));
  if (view == nullptr) {
    return error_response(ApiError{404, std::string(kExplainTitle), fmt::format("there is no mesh \"{}\"", request.param("mesh"))});
  }
  auto explained = plan::explain(*view, key_of(request), service);
  if (!explained.ok()) {
    return error_response(ApiError{404, std::string(kExplainTitle), std::string(message_of(explained.status()))});
  }
  return json_response(200, *explained);
}

}  // namespace

void add_plan_routes(Router& router, const ApiDeps& deps) {
  router.add({.method = "POST",
              .path = "/meshes/{mesh}/_plan",
              .handler = [&deps](const Request& request) { return post_plan(deps, request); },
              .run_on = RunOn::Worker});
  router.add({.method = "GET",
              .path = "/meshes/{mesh}/dataplanes/{name}/_explain",
              .handler = [&deps](const Request& request) { return get_explanation(deps, request); },
              .run_on = RunOn::Worker});
}

}  // namespace kuma::api
