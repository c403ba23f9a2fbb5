#include "api/access.h"
#include "api/kubernetes_form.h"
#include "api/paging.h"
#include "api/response.h"
#include "api/routes.h"
#include "api/titles.h"
#include "base/status.h"
#include "model/rest.h"

namespace kuma::api {
namespace {

using model::ResourceType;

net::HttpResponse read_only_response() {
  return error_response(ApiError{405, "Method not Allowed", "Method not allowed"});
}

// ---- reading

// Secrets whose keys are just being made are as good as there: whoever asks for them waits.
void wait_for_secrets(const ApiDeps& deps, const ResourceType& type, const Request& request, std::string_view name) {
  if (!type.admin_only || deps.wait_for_secrets == nullptr) {
    return;
  }
  if (type.scope == model::Scope::Global || request.has_param("mesh")) {
    return deps.wait_for_secrets(request.has_param("mesh") ? request.param("mesh") : std::string(), name);
  }
  for (const model::ResourcePtr& mesh : deps.store.list({.type = deps.registry.find("Mesh")}).items) {
    deps.wait_for_secrets(mesh->meta.name, name);
  }
}

net::HttpResponse get_item(const ApiDeps& deps, const ResourceType& type, const Request& request) {
  if (absl::Status status = check_resource_access(deps, type, request.user); !status.ok()) {
    return error_response(status, titles::kRetrieve);
  }
  wait_for_secrets(deps, type, request, request.param("name"));
  const auto resource = deps.store.get(type, key_of(request));
  if (!resource.ok()) {
    return error_response(resource.status(), titles::kRetrieve);
  }
  const std::string_view format = request.query.get("format");
  if (format.empty() || format == "universal") {
    return json_response(200, model::to_rest(**resource));
  }
  if (format == "k8s" || format == "kubernetes") {
    return json_response(
        200, to_kubernetes(**resource, request.query.get("namespace"), deps.config.store.kubernetes.system_namespace));
  }
  Violations violations;
  violations.add(std::string(), R"("format" must be one of ["k8s", "kubernetes", "universal"])");
  return violations_response("invalid format", violations);
}

net::HttpResponse get_list(const ApiDeps& deps, const ResourceType& type, const Request& request) {
  if (absl::Status status = check_resource_access(deps, type, request.user); !status.ok()) {
    return error_response(status, titles::kRetrieveList);
  }
  const auto paging = read_paging(request.query, titles::kRetrieveList);
  if (const auto* error = std::get_if<ApiError>(&paging)) {
    return error_response(*error);
  }
  auto filter = read_filter(request, type, titles::kRetrieveList);
  if (const auto* error = std::get_if<ApiError>(&filter)) {
    return error_response(*error);
  }
  wait_for_secrets(deps, type, request, {});
  const store::ListResult page =
      list_page(deps.store, type, request, std::get<Paging>(paging), std::move(std::get<ResourceFilter>(filter)));
  json::array items;
  items.reserve(page.items.size());
  for (const model::ResourcePtr& resource : page.items) {
    items.push_back(model::to_rest(*resource));
  }
  return json_response(200, list_body(request, std::get<Paging>(paging), page.total, std::move(items)));
}

// ---- writing

// What the schema of a targetRef policy says of the members around the spec.
Violations check_frame(const ResourceType& type, const json::value& document) {
  Violations violations;
  const json::value* type_member = find(document, "type");
  if (type_member != nullptr && (!type_member->is_string() || type_member->get_string() != type.name)) {
    violations.add(std::string(), fmt::format("type in body should be one of [{}]", type.name));
  }
  const json::value* spec = find(document, "spec");
  if (spec != nullptr && !spec->is_object()) {
    const std::string_view kind = spec->is_null()     ? "null"
                                  : spec->is_string() ? "string"
                                  : spec->is_array()  ? "array"
                                  : spec->is_bool()   ? "boolean"
                                                      : "number";
    violations.add(std::string(), fmt::format("spec in body must be of type object: \"{}\"", kind));
  }
  return violations;
}

absl::StatusOr<model::RestDocument> read_body(const ResourceType& type, const std::string& body) {
  auto document = parse_json(body);
  if (!document.ok()) {
    return absl::InvalidArgumentError(fmt::format("invalid {} object: '{}'", type.name, document.status().message()));
  }
  if (type.is_target_ref && document->is_object()) {
    KUMA_RETURN_IF_ERROR(check_frame(type, *document).to_status());
  }
  return model::from_rest(type, *document);
}

Violations check_meta(const ApiDeps& deps, const ResourceType& type, const model::RestDocument& document,
                      const model::ResourceKey& key, bool existing) {
  const model::ResourceMeta& meta = document.resource.meta;
  Violations violations;
  if (meta.name != key.name) {
    violations.add("name", "name from the URL has to be the same as in body");
  }
  const std::string& zone = deps.config.is_zone() ? deps.config.multizone.zone.name : std::string();
  Violations rules;
  model::validate_meta(type, meta, {.existing = existing, .zone_name = zone}, rules);
  if (document.type != type.name) {
    violations.add("type", "type from the URL has to be the same as in body");
  }
  if (type.scope == model::Scope::Mesh && meta.mesh != key.mesh) {
    violations.add("mesh", "mesh from the URL has to be the same as in body");
  }
  violations.append(rules);
  return violations;
}

net::HttpResponse create(const ApiDeps& deps, model::Resource resource) {
  const absl::Status status = deps.writer.create(std::move(resource));
  return status.ok() ? empty_response(201) : error_response(status, titles::kCreate);
}

net::HttpResponse update(const ApiDeps& deps, const model::Resource& stored, model::Resource resource) {
  resource.meta = stored.meta;
  resource.owner = stored.owner;
  const absl::Status status = deps.writer.update(std::move(resource));
  return status.ok() ? empty_response(200) : error_response(status, titles::kUpdate);
}

net::HttpResponse put_item(const ApiDeps& deps, const ResourceType& type, const Request& request) {
  if (is_read_only(type, deps.config)) {
    return read_only_response();
  }
  auto document = read_body(type, request.http.body);
  if (!document.ok()) {
    return error_response(document.status(), titles::kProcess);
  }
  const model::ResourceKey key = key_of(request);
  const auto stored = deps.store.get(type, key);
  if (!stored.ok() && !absl::IsNotFound(stored.status())) {
    return error_response(stored.status(), titles::kRetrieve);
  }
  if (const Violations violations = check_meta(deps, type, *document, key, stored.ok()); !violations.empty()) {
    return violations_response(titles::kProcess, violations);
  }
  if (absl::Status status = check_resource_access(deps, type, request.user); !status.ok()) {
    return error_response(status, titles::kProcess);
  }
  return stored.ok() ? update(deps, **stored, std::move(document->resource))
                     : create(deps, std::move(document->resource));
}

net::HttpResponse delete_item(const ApiDeps& deps, const ResourceType& type, const Request& request) {
  if (is_read_only(type, deps.config)) {
    return read_only_response();
  }
  const model::ResourceKey key = key_of(request);
  if (const auto stored = deps.store.get(type, key); !stored.ok()) {
    return error_response(stored.status(), titles::kDelete);
  }
  if (absl::Status status = check_resource_access(deps, type, request.user); !status.ok()) {
    return error_response(status, titles::kDelete);
  }
  const absl::Status status = deps.writer.remove(type, key);
  return status.ok() ? empty_response(200) : error_response(status, titles::kDelete);
}

void add_item_routes(Router& router, const ApiDeps& deps, const ResourceType& type) {
  const std::string path = item_path(type);
  const auto bind = [&deps, &type](auto handle) {
    return [&deps, &type, handle](const Request& request) { return handle(deps, type, request); };
  };
  // In the order in which 405 names them. Writes wait for the disk, and a mesh's for keys.
  router.add({.method = "PUT", .path = path, .handler = bind(put_item), .run_on = RunOn::Worker});
  router.add({.method = "DELETE", .path = path, .handler = bind(delete_item), .run_on = RunOn::Worker});
  if (type.name != "ServiceInsight") {  // which is shown service by service
    router.add({.method = "GET",
                .path = path,
                .handler = bind(get_item),
                .run_on = type.admin_only ? RunOn::Worker : RunOn::Loop});
  }
}

void add_list_routes(Router& router, const ApiDeps& deps, const ResourceType& type) {
  const auto list = [&deps, &type](const Request& request) { return get_list(deps, type, request); };
  const RunOn run_on = type.admin_only ? RunOn::Worker : RunOn::WorkerIfLarge;
  router.add({.method = "GET", .path = list_path(type), .handler = list, .run_on = run_on});
  if (type.scope == model::Scope::Mesh) {
    router.add({.method = "GET", .path = all_meshes_path(type), .handler = list, .run_on = run_on});
  }
}

}  // namespace

store::ListResult list_page(const store::Store& store, const ResourceType& type, const Request& request,
                            const Paging& paging, ResourceFilter filter) {
  store::ListQuery query;
  query.type = &type;
  if (request.has_param("mesh")) {
    query.mesh = request.param("mesh");
  }
  query.name_contains = request.query.get("name");
  query.filter = std::move(filter);
  query.offset = paging.offset;
  query.size = static_cast<size_t>(std::max<int64_t>(paging.size, 0));
  if (paging.size < 0) {
    query.size = 1;
    store::ListResult none = store.list(query);
    none.items.clear();
    return none;
  }
  return store.list(query);
}

bool is_read_only(const ResourceType& type, const config::Config& config) {
  if (type.read_only || config.api_server.read_only) {
    return true;
  }
  return (config.is_global() && type.kds == model::KdsDirection::ZoneToGlobal) ||
         (config.is_zone() && type.kds == model::KdsDirection::GlobalToZone);
}

std::string list_path(const ResourceType& type) {
  return type.scope == model::Scope::Mesh ? fmt::format("/meshes/{{mesh}}/{}", type.path)
                                          : fmt::format("/{}", type.path);
}

std::string all_meshes_path(const ResourceType& type) { return fmt::format("/{}", type.path); }

std::string item_path(const ResourceType& type) { return list_path(type) + "/{name}"; }

model::ResourceKey key_of(const Request& request) {
  return {request.has_param("mesh") ? request.param("mesh") : std::string(), request.param("name")};
}

void add_resource_routes(Router& router, const ApiDeps& deps) {
  for (const ResourceType& type : deps.registry.types()) {
    if (type.path.empty()) {
      continue;
    }
    add_item_routes(router, deps, type);
    if (type.name != "ServiceInsight") {
      add_list_routes(router, deps, type);
    }
  }
}

}  // namespace kuma::api
