#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "api/inspect_gateways.h"
#include "api/inspect_view.h"
#include "api/response.h"
#include "api/routes.h"
#include "base/status.h"
#include "mesh/endpoints.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "mesh/v1alpha1/zoneegress.pb.h"
#include "plan/warnings.h"
#include "policy/envoy/external.h"
#include "xds/gen/generator.h"
#include "xds/gen/shared_pieces.h"

namespace kuma::api {
namespace {

constexpr std::string_view kTitle = "Could not tell the problems";
constexpr size_t kProxiesMax = 20;  // of a kind that are named for one problem

// What is left out of a configuration.
struct Report {
  std::string error;  // why there is none at all; empty: there is one
  std::vector<xds::Problem> problems;
};

Report report_of(const absl::StatusOr<xds::Generation>& generation) {
  if (!generation.ok()) {
    return {.error = std::string(message_of(generation.status())), .problems = {}};
  }
  Report report{.error = {}, .problems = {}};
  for (const xds::Problem& problem : generation->problems) {
    if (std::ranges::find(report.problems, problem) == report.problems.end()) {
      report.problems.push_back(problem);
    }
  }
  return report;
}

// Makes the configurations anew from the view, so that also those of dataplanes that are not connected can be told.
class Reporter {
 public:
  explicit Reporter(const mesh::MeshView& view) : view_(view) {}

  Report report(const model::ResourceKey& key) {
    xds::ProxyInput proxy;
    proxy.key = key;
    proxy.metadata.access_log_socket_path = "/tmp/kuma-al.sock";  // as every kuma-dp has it
    auto generation = xds::generate(view_, proxy, {.interner = interner_, .pieces = &pieces_});
    Report report = report_of(generation);
    if (generation.ok()) {
      held_.push_back(*std::move(generation));  // pieces live as long as a configuration that has them
    }
    return report;
  }

 private:
  const mesh::MeshView& view_;
  xds::Interner interner_;
  xds::SharedPieces pieces_;
  std::vector<xds::Generation> held_;
};

net::HttpResponse no_mesh(const Request& request) {
  return error_response(ApiError{404, std::string(kTitle), fmt::format("there is no mesh \"{}\"", request.param("mesh"))});
}

// `of_all_meshes`: the proxy belongs to none, so each problem names its policy's.
net::HttpResponse answer_of(const Report& report, bool of_all_meshes) {
  json::array items;
  for (const xds::Problem& problem : report.problems) {
    json::object policy{{"type", problem.policy.type}, {"name", problem.policy.name}};
    if (of_all_meshes && !problem.policy.mesh.empty()) {
      policy["mesh"] = problem.policy.mesh;
    }
    items.push_back(json::object{{"policy", std::move(policy)}, {"message", problem.message}});
  }
  json::object body;
  if (!report.error.empty()) {
    body["error"] = report.error;
  }
  body["total"] = items.size();
  body["items"] = std::move(items);
  return json_response(200, body);
}

net::HttpResponse of_dataplane(const ApiDeps& deps, const Request& request) {
  const mesh::MeshViewPtr view = inspect_view(deps, request.param("mesh"));
  if (view == nullptr) {
    return no_mesh(request);
  }
  if (view->find_dataplane(key_of(request)) == nullptr) {
    return error_response(ApiError{404, std::string(kTitle),
                                   fmt::format("the mesh \"{}\" has no dataplane \"{}\" with a usable address",
                                               request.param("mesh"), request.param("name"))});
  }
  return answer_of(Reporter(*view).report(key_of(request)), false);
}

// Whether the resource of a zone proxy is of another zone.
bool is_remote(const model::Resource& proxy, const std::string& zone) {
  const std::string& own = proxy.type->name == "ZoneIngress" ? proxy.as<::kuma::mesh::v1alpha1::ZoneIngress>().zone()
                                                             : proxy.as<::kuma::mesh::v1alpha1::ZoneEgress>().zone();
  return !own.empty() && own != zone;
}

Report zone_proxy_report(const mesh::ZoneView& view, xds::ProxyType kind, const std::string& name) {
  xds::ProxyInput proxy;
  proxy.key = {"", name};
  proxy.metadata.proxy_type = kind;
  xds::Interner interner;
  return report_of(xds::generate(view, proxy, {.interner = interner}));
}

// Of a proxy of this control plane's zone; what goes on in other zones is theirs to tell.
net::HttpResponse of_zone_proxy(const ApiDeps& deps, xds::ProxyType kind, const Request& request) {
  const std::string name(request.param("name"));
  const mesh::ZoneView view = inspect_zone_view(deps);
  const bool is_ingress = kind == xds::ProxyType::ZoneIngress;
  const model::ResourcePtr resource = is_ingress ? view.find_ingress(name) : view.find_egress(name);
  if (resource == nullptr || is_remote(*resource, view.zone)) {
    return error_response(
        ApiError{404, std::string(kTitle), fmt::format("this zone has no {} \"{}\"", is_ingress ? "ZoneIngress" : "ZoneEgress", name)});
  }
  return answer_of(zone_proxy_report(view, kind, name), true);
}

// Whether a dataplane's configuration may be made from a policy at all.
bool may_concern(const model::Resource& policy, const mesh::MeshView& view, const mesh::DataplaneView& dataplane) {
  return policy.type->name == "MeshGatewayRoute" ? has_gateway_route(view, dataplane, policy.meta.name)
                                                 : applies(policy, view, dataplane);
}

// What is said of one resource, and which proxies it concerns: names.
struct Places {
  std::vector<std::string> dataplanes;
  std::vector<std::string> egresses;
};
using ByMessage = std::map<std::string, Places>;

json::array first_names(const std::vector<std::string>& names) {
  return json::array(names.begin(), names.begin() + static_cast<ptrdiff_t>(std::min(names.size(), kProxiesMax)));
}

json::array items_of(const ByMessage& by_message) {
  json::array items;
  for (const auto& [message, places] : by_message) {
    json::object item{{"message", message}, {"count", places.dataplanes.size()}, {"dataplanes", first_names(places.dataplanes)}};
    if (!places.egresses.empty()) {
      item["zoneEgresses"] = first_names(places.egresses);
    }
    items.push_back(std::move(item));
  }
  return items;
}

using IsMeant = std::function<bool(const policy::PolicyRef&)>;

// Of the egresses of the zones that this control plane knows: it takes their meshes' policies and external services to pieces.
void add_from_egresses(const ApiDeps& deps, const mesh::MeshView& mesh, const IsMeant& is_meant, ByMessage& by_message) {
  if (!mesh.zone_egress_enabled()) {
    return;
  }
  for (const mesh::ZoneView& view : inspect_egress_views(deps, mesh.name)) {
    for (const model::ResourcePtr& egress : view.egresses) {
      if (is_remote(*egress, view.zone)) {
        continue;
      }
      for (const xds::Problem& problem : zone_proxy_report(view, xds::ProxyType::ZoneEgress, egress->meta.name).problems) {
        if (is_meant(problem.policy)) {
          by_message[problem.message].egresses.push_back(egress->meta.name);
        }
      }
    }
  }
}

net::HttpResponse of_policy(const ApiDeps& deps, const model::ResourceType& type, const Request& request) {
  const auto policy = deps.store.get(type, key_of(request));
  if (!policy.ok()) {
    return error_response(policy.status(), kTitle);
  }
  const mesh::MeshViewPtr view = inspect_view(deps, request.param("mesh"));
  if (view == nullptr) {
    return no_mesh(request);
  }
  const policy::PolicyRef ref = policy::ref_of(**policy);
  Reporter reporter(*view);
  size_t selected = 0;
  ByMessage by_message;
  for (const auto& [key, dataplane] : view->dataplanes) {
    if (!may_concern(**policy, *view, *dataplane)) {
      continue;
    }
    ++selected;
    for (const xds::Problem& problem : reporter.report(key).problems) {
      if (problem.policy == ref) {
        by_message[problem.message].dataplanes.push_back(key.name);
      }
    }
  }
  add_from_egresses(deps, *view, [&](const policy::PolicyRef& other) { return other == ref; }, by_message);
  json::array warnings;
  if (type.is_target_ref) {
    for (std::string& text : plan::without_effect(*policy, *view)) {
      warnings.push_back(json::value(std::move(text)));
    }
  }
  json::object body{{"dataplanes", selected}, {"total", by_message.size()}, {"items", items_of(by_message)}};
  if (!warnings.empty()) {
    body["warnings"] = std::move(warnings);
  }
  return json_response(200, body);
}

// What can't be used of an external service is known from itself, also while nobody reaches it.
std::vector<xds::Problem> own_problems(const model::ResourcePtr& service, const mesh::MeshView& view) {
  std::vector<xds::Problem> problems;
  std::set<std::string> secrets;
  const mesh::ResourceList none, only = {service};
  const mesh::ZoneEndpoints endpoints = mesh::build_zone_endpoints(
      {.mesh = view.name, .local_zone = view.zone, .ingresses = none, .egresses = none, .external_services = only});
  for (const auto& [name, instances] : endpoints.direct) {
    policy::envoy::load_external(instances, view, secrets, problems);
  }
  return problems;
}

net::HttpResponse of_external_service(const ApiDeps& deps, const model::ResourceType& type, const Request& request) {
  const auto service = deps.store.get(type, key_of(request));
  if (!service.ok()) {
    return error_response(service.status(), kTitle);
  }
  const mesh::MeshViewPtr view = inspect_view(deps, request.param("mesh"));
  if (view == nullptr) {
    return no_mesh(request);
  }
  const policy::PolicyRef ref = policy::ref_of(**service);
  const policy::PolicyRef mesh_ref = policy::ref_of(*view->mesh);  // without a usable authority all are left out
  ByMessage by_message;
  for (const xds::Problem& problem : own_problems(*service, *view)) {
    by_message[problem.message];
  }
  if (!by_message.empty()) {
    Reporter reporter(*view);
    for (const auto& [key, dataplane] : view->dataplanes) {
      for (const xds::Problem& problem : reporter.report(key).problems) {
        if (problem.policy == ref) {
          by_message[problem.message].dataplanes.push_back(key.name);
        }
      }
    }
  }
  add_from_egresses(deps, *view, [&](const policy::PolicyRef& other) { return other == ref || other == mesh_ref; }, by_message);
  return json_response(200, json::object{{"total", by_message.size()}, {"items", items_of(by_message)}});
}

}  // namespace

void add_problem_routes(Router& router, const ApiDeps& deps) {
  router.add({.method = "GET",
              .path = "/meshes/{mesh}/dataplanes/{name}/_problems",
              .handler = [&deps](const Request& request) { return of_dataplane(deps, request); },
              .run_on = RunOn::Worker});
  for (const auto& [path, kind] : {std::pair{"/zoneingresses/{name}/_problems", xds::ProxyType::ZoneIngress},
                                   std::pair{"/zoneegresses/{name}/_problems", xds::ProxyType::ZoneEgress}}) {
    router.add({.method = "GET",
                .path = path,
                .handler = [&deps, kind = kind](const Request& request) { return of_zone_proxy(deps, kind, request); },
                .run_on = RunOn::Worker});
  }
  for (const model::ResourceType& type : deps.registry.types()) {
    if (type.name == "ExternalService") {
      router.add({.method = "GET",
                  .path = item_path(type) + "/_problems",
                  .handler = [&deps, &type](const Request& request) { return of_external_service(deps, type, request); },
                  .run_on = RunOn::Worker});
    } else if (type.is_policy) {
      router.add({.method = "GET",
                  .path = item_path(type) + "/_problems",
                  .handler = [&deps, &type](const Request& request) { return of_policy(deps, type, request); },
                  .run_on = RunOn::Worker});
    }
  }
}

}  // namespace kuma::api
