#include "api/global_insight.h"
#include "api/paging.h"
#include "api/response.h"
#include "api/routes.h"
#include "api/titles.h"
#include "base/status.h"
#include "base/text.h"
#include "insight/status.h"
#include "mesh/v1alpha1/service_insight.pb.h"
#include "model/proto_json.h"
#include "model/rest.h"
#include "system/v1alpha1/zone.pb.h"
#include "system/v1alpha1/zone_insight.pb.h"

namespace kuma::api {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using Service = pb::ServiceInsight::Service;

// ---- service-insights: one resource a mesh, shown as one item a service

model::ResourceKey insight_key(const std::string& mesh) { return {mesh, fmt::format("all-services-{}", mesh)}; }

json::object service_item(const ApiDeps& deps, const model::Resource& insight, const std::string& service,
                          Service entry) {
  entry.mutable_dataplanes()->set_total(entry.dataplanes().online() + entry.dataplanes().offline());
  if (entry.servicetype() == Service::internal) {
    const config::DnsServer& dns = deps.config.dns_server;
    entry.set_addressport(fmt::format("{}.{}:{}", service, dns.domain, dns.service_vip_port));
  }
  model::Resource frame;
  frame.type = insight.type;
  frame.meta = insight.meta;
  frame.meta.name = service;
  json::object out = model::to_rest(frame);
  for (auto& member : model::to_json_object(entry)) {
    out.emplace(member.key(), std::move(member.value()));
  }
  return out;
}

net::HttpResponse get_service_insight(const ApiDeps& deps, const model::ResourceType& type, const Request& request) {
  const auto insight = deps.store.get(type, insight_key(request.param("mesh")));
  if (!insight.ok()) {
    return error_response(insight.status(), titles::kRetrieve);
  }
  const auto& services = (*insight)->as<pb::ServiceInsight>().services();
  const std::string& service = request.param("name");
  const auto entry = services.find(service);
  return json_response(200,
                       service_item(deps, **insight, service, entry == services.end() ? Service() : entry->second));
}

struct ServiceRef {
  const model::Resource* insight;
  std::string_view service;
  const Service* entry;
};

// Services of all insights, by mesh and name, whose name contains a text.
std::vector<ServiceRef> services_of(const std::vector<model::ResourcePtr>& insights, std::string_view name_contains) {
  std::vector<ServiceRef> out;
  for (const model::ResourcePtr& insight : insights) {
    const auto first = static_cast<std::ptrdiff_t>(out.size());
    for (const auto& [service, entry] : insight->as<pb::ServiceInsight>().services()) {
      if (service.find(name_contains) != std::string::npos) {
        out.push_back({insight.get(), service, &entry});
      }
    }
    std::sort(out.begin() + first, out.end(), [](const auto& a, const auto& b) { return a.service < b.service; });
  }
  return out;
}

net::HttpResponse list_service_insights(const ApiDeps& deps, const model::ResourceType& type, const Request& request) {
  const auto parsed = read_paging(request.query, titles::kPaginate);
  if (const auto* error = std::get_if<ApiError>(&parsed)) {
    return error_response(*error);
  }
  const Paging paging = std::get<Paging>(parsed);
  store::ListQuery query{.type = &type};
  if (request.has_param("mesh")) {
    query.mesh = request.param("mesh");
  }
  const store::ListResult insights = deps.store.list(query);
  const auto services = services_of(insights.items, request.query.get("name"));
  const size_t size = paging.size < 0 ? 0 : static_cast<size_t>(paging.size);
  const size_t first = std::min(paging.offset, services.size());
  const size_t count = paging.all() ? services.size() - first : std::min(size, services.size() - first);
  json::array items;
  items.reserve(count);
  for (size_t i = first; i < first + count; ++i) {
    items.push_back(service_item(deps, *services[i].insight, std::string(services[i].service), *services[i].entry));
  }
  return json_response(200, list_body(request, paging, services.size(), std::move(items)));
}

// ---- others

net::HttpResponse get_global_insights(const ApiDeps& deps, const Request&) {
  json::object resources;
  for (const model::ResourceType& type : deps.registry.types()) {
    if (type.scope == model::Scope::Global && type.name != "Config" && !type.name.ends_with("Insight")) {
      resources[type.name] = json::object{{"total", deps.store.list({.type = &type, .size = 1}).total}};
    }
  }
  json::object body;
  body["type"] = "GlobalInsights";
  body["creationTime"] = format_rfc3339(deps.clock.wall_now());
  body["resources"] = std::move(resources);
  return json_response(200, body);
}

net::HttpResponse get_zone_status(const ApiDeps& deps, const Request&) {
  const model::ResourceType* zone_type = deps.registry.find("Zone");
  const model::ResourceType* insight_type = deps.registry.find("ZoneInsight");
  json::array zones;
  for (const model::ResourcePtr& resource : deps.store.list({.type = zone_type}).items) {
    const auto& zone = resource->as<system::v1alpha1::Zone>();
    const bool enabled = !zone.has_enabled() || zone.enabled().value();
    const auto insight = deps.store.get(*insight_type, resource->meta.key());
    const bool online =
        insight.ok() && insight::is_online((*insight)->as<system::v1alpha1::ZoneInsight>().subscriptions());
    zones.push_back(json::object{{"name", resource->meta.name}, {"active", enabled && online}});
  }
  return json_response(200, zones.empty() ? json::value(nullptr) : json::value(std::move(zones)));
}

// Zones that wanted to connect and were turned away, and that nothing else is known of.
net::HttpResponse get_refused_zones(const ApiDeps& deps, const Request&) {
  const RefusedZones refused = deps.refused_zones();
  json::array items;
  for (const RefusedZone& one : refused.items) {
    items.push_back(json::object{{"zone", one.zone}, {"message", one.message}, {"count", one.count},
                                 {"firstTime", format_rfc3339(one.first)}, {"lastTime", format_rfc3339(one.last)}});
  }
  json::object body{{"total", items.size()}, {"items", std::move(items)}};
  if (refused.left_out > 0) {
    body["leftOut"] = refused.left_out;
  }
  return json_response(200, body);
}

}  // namespace

void add_insight_routes(Router& router, const ApiDeps& deps) {
  if (const model::ResourceType* type = deps.registry.find("ServiceInsight")) {
    const auto list = [&deps, type](const Request& request) { return list_service_insights(deps, *type, request); };
    for (const std::string& path : {list_path(*type), all_meshes_path(*type)}) {
      router.add({.method = "GET", .path = path, .handler = list, .run_on = RunOn::WorkerIfLarge});
    }
    router.add({.method = "GET", .path = item_path(*type), .handler = [&deps, type](const Request& request) {
                  return get_service_insight(deps, *type, request);
                }});
  }
  router.add({.method = "GET",
              .path = "/global-insight",
              .handler = [insight = std::make_shared<GlobalInsight>(deps)](const Request&) { return insight->get(); }});
  router.add({.method = "GET", .path = "/global-insights", .handler = [&deps](const Request& request) {
                return get_global_insights(deps, request);
              }});
  router.add({.method = "GET", .path = "/status/zones", .handler = [&deps](const Request& request) {
                return get_zone_status(deps, request);
              }});
  if (deps.refused_zones != nullptr) {
    router.add({.method = "GET", .path = "/zones/_refused", .handler = [&deps](const Request& request) {
                  return get_refused_zones(deps, request);
                }});
  }
}

}  // namespace kuma::api
