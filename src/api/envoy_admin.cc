#include "api/access.h"
#include "api/config_dump.h"
#include "api/response.h"
#include "api/routes.h"
#include "base/log.h"
#include "base/status.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"

namespace kuma::api {
namespace {

// A kind of proxy whose Envoy can be asked, under the path that it has here (which differs from its collection's).
struct ProxyKind {
  std::string_view type;
  std::string path;
  std::string_view not_found_title;
};

struct Page {
  std::string_view name;        // in our path
  std::string_view admin_path;  // Envoy's
  const config::AccessList config::Access::*access;
  bool is_json;
};

// In a zone control plane, the ingresses of other zones are known but out of reach.
bool is_of_another_zone(const ApiDeps& deps, const model::Resource& proxy) {
  if (!deps.config.is_zone() || proxy.type->name != "ZoneIngress") {
    return false;
  }
  const std::string& zone = proxy.as<::kuma::mesh::v1alpha1::ZoneIngress>().zone();
  return !zone.empty() && zone != deps.config.multizone.zone.name;
}

net::HttpResponse call_failed(const absl::Status& status) {
  if (absl::IsFailedPrecondition(status)) {
    return error_response(status, "Could not execute admin operation");
  }
  make_logger("api")->error("Could not execute admin operation: {}", status.ToString());
  return error_response(ApiError{500, "Could not execute admin operation", "Internal Server Error"});
}

net::HttpResponse page_response(const Page& page, const absl::StatusOr<std::string>& body) {
  if (!body.ok()) {
    return call_failed(body.status());
  }
  if (!page.is_json) {
    return text_response(200, *body, "text/plain");
  }
  auto dump = sanitize_config_dump(*body);
  return dump.ok() ? text_response(200, *std::move(dump), kJsonType) : call_failed(dump.status());
}

void get_page(const ApiDeps& deps, const ProxyKind& kind, const Page& page, const Request& request, Respond respond) {
  if (absl::Status status = check_allowed(deps.config.access.*page.access, request.user); !status.ok()) {
    return respond(error_response(status, "Access Denied"));
  }
  const auto proxy = deps.store.get(*deps.registry.find(kind.type), key_of(request));
  if (!proxy.ok()) {
    return respond(error_response(proxy.status(), kind.not_found_title));
  }
  if (is_of_another_zone(deps, **proxy)) {
    return respond(error_response(
        ApiError{400, "Could not connect to zone ingress that resides in another zone", "Resource is not valid"}));
  }
  if (deps.fetch_admin_page == nullptr) {
    return respond(call_failed(absl::UnimplementedError("this control plane reaches no proxies")));
  }
  deps.fetch_admin_page({*proxy, std::string(page.admin_path)},
                        [page, respond = std::move(respond)](const absl::StatusOr<std::string>& body) {
                          respond(page_response(page, body));
                        });
}

}  // namespace

void add_envoy_admin_routes(Router& router, const ApiDeps& deps) {
  const ProxyKind kinds[] = {
      {"Dataplane", "/meshes/{mesh}/dataplanes/{name}", "Could not get dataplane resource"},
      {"ZoneIngress", "/zoneingresses/{name}", "Could not get zone ingress resource"},
      {"ZoneEgress", "/zoneegresses/{name}", "Could not get zone egress resource"},
  };
  const Page pages[] = {
      {"xds", "config_dump", &config::Access::view_config_dump, true},
      {"stats", "stats", &config::Access::view_stats, false},
      {"clusters", "clusters", &config::Access::view_clusters, false},
  };
  for (const ProxyKind& kind : kinds) {
    for (const Page& page : pages) {
      router.add({.method = "GET",
                  .path = fmt::format("{}/{}", kind.path, page.name),
                  .async_handler = [&deps, kind, page](
                                       const Request& request,
                                       Respond respond) { get_page(deps, kind, page, request, std::move(respond)); },
                  .answers_json = page.is_json});
    }
  }
}

}  // namespace kuma::api
