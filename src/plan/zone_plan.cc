#include "plan/zone_plan.h"

#include <algorithm>
#include <map>

#include "base/status.h"
#include "fmt/ranges.h"
#include "mesh/gateways.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "mesh/v1alpha1/zoneegress.pb.h"
#include "plan/warnings.h"

namespace kuma::plan {
namespace {

using xds::Generation;
using xds::WireResourcePtr;
using xds::XdsType;

constexpr std::pair<XdsType, std::string_view> kKinds[] = {
    {XdsType::Cluster, "cluster"}, {XdsType::Endpoint, "endpoints"}, {XdsType::Listener, "listener"}};

using ByName = std::map<std::string_view, std::pair<WireResourcePtr, WireResourcePtr>>;  // before, after

ByName pair_up(const Generation& before, const Generation& after, XdsType type) {
  ByName all;
  for (const xds::GeneratedResource& one : before.resources[static_cast<size_t>(type)]) {
    all[one.wire->name].first = one.wire;
  }
  for (const xds::GeneratedResource& one : after.resources[static_cast<size_t>(type)]) {
    all[one.wire->name].second = one.wire;
  }
  return all;
}

void compare(const Generation& before, const Generation& after, const Limits& limits, ZoneProxyPlan& proxy) {
  for (const auto& [type, kind] : kKinds) {
    for (const auto& [name, sides] : pair_up(before, after, type)) {
      const auto& [from, to] = sides;
      if (from != nullptr && to != nullptr && from->version == to->version) {
        continue;
      }
      if (proxy.differences.size() >= limits.differences_max) {
        ++proxy.differences_left_out;
        continue;
      }
      Difference difference{.kind = std::string(kind),
                            .name = std::string(name),
                            .action = from == nullptr ? "added" : to == nullptr ? "removed" : "changed",
                            .lines = {},
                            .dataplanes = {}};
      if (from != nullptr && to != nullptr) {
        difference.lines = plan::difference(to_json_value(from.get()), to_json_value(to.get()), limits.lines_max);
      }
      proxy.differences.push_back(std::move(difference));
    }
  }
}

bool is_of_zone(const model::Resource& proxy, const std::string& zone) {
  const std::string& own = proxy.type->name == "ZoneIngress" ? proxy.as<::kuma::mesh::v1alpha1::ZoneIngress>().zone()
                                                             : proxy.as<::kuma::mesh::v1alpha1::ZoneEgress>().zone();
  return own.empty() || own == zone;
}

bool is_same(const std::vector<mesh::CrossMeshListener>& a, const std::vector<mesh::CrossMeshListener>& b) {
  return std::ranges::equal(a, b, [](const mesh::CrossMeshListener& one, const mesh::CrossMeshListener& other) {
    return one.address == other.address && one.port == other.port && one.tags == other.tags;
  });
}

std::string bundle_of(const mesh::MeshViewPtr& view) { return view == nullptr || view->trust == nullptr ? "" : view->trust->bundle_pem; }

std::vector<mesh::CrossMeshListener> listeners_of(const mesh::MeshViewPtr& view) {
  return view == nullptr ? std::vector<mesh::CrossMeshListener>() : mesh::cross_mesh_listeners(*view);
}

}  // namespace

mesh::ZoneView with_update(mesh::ZoneView zone, const mesh::MeshUpdate& update) {
  const std::string& name = update.view != nullptr ? update.view->name : update.previous->name;
  std::erase_if(zone.meshes, [&](const mesh::MeshViewPtr& view) { return view->name == name; });
  if (update.view != nullptr) {
    const auto place = std::ranges::lower_bound(zone.meshes, name, {}, [](const mesh::MeshViewPtr& view) { return view->name; });
    zone.meshes.insert(place, update.view);
  }
  return zone;
}

std::vector<ZoneProxyPlan> plan_zone_proxies(const mesh::ZoneView& before, const mesh::ZoneView& after, const Limits& limits, Plan& plan) {
  std::vector<ZoneProxyPlan> changed;
  xds::Interner interner;
  for (const mesh::ResourceList* list : {&before.ingresses, &before.egresses}) {
    for (const model::ResourcePtr& resource : *list) {
      if (!is_of_zone(*resource, before.zone)) {
        continue;
      }
      xds::ProxyInput proxy;
      proxy.key = {"", resource->meta.name};
      proxy.metadata.proxy_type = resource->type->name == "ZoneIngress" ? xds::ProxyType::ZoneIngress : xds::ProxyType::ZoneEgress;
      const auto now = xds::generate(before, proxy, {.interner = interner});
      const auto then = xds::generate(after, proxy, {.interner = interner});
      if (!now.ok()) {
        continue;  // it has no configuration, whatever the mesh says
      }
      ZoneProxyPlan one{.type = std::string(resource->type->name), .name = resource->meta.name, .error = {}, .differences = {}};
      if (!then.ok()) {
        one.error = std::string(message_of(then.status()));
      } else {
        compare(*now, *then, limits, one);
        for (const xds::Problem& problem : then->problems) {
          if (std::ranges::find(now->problems, problem) == now->problems.end()) {
            warn(plan, limits, fmt::format("{} \"{}\" would be left out for the {} \"{}\": {}", problem.policy.type, problem.policy.name, one.type, one.name,
                                           problem.message));
          }
        }
      }
      if (!one.error.empty() || !one.differences.empty()) {
        changed.push_back(std::move(one));
      }
    }
  }
  return changed;
}

void warn_of_other_meshes(const mesh::MeshUpdate& update, const std::vector<std::string>& other_meshes, const Limits& limits, Plan& plan) {
  const auto before = listeners_of(update.previous), after = listeners_of(update.view);
  const bool trusted = !before.empty() || !after.empty();
  if (!other_meshes.empty() && (!is_same(before, after) || (trusted && bundle_of(update.previous) != bundle_of(update.view)))) {
    warn(plan, limits, fmt::format("dataplanes of the other meshes ({}) reach cross-mesh listeners of this one's gateways, which would change: what that does to "
                                   "them is not told here", fmt::join(other_meshes, ", ")));
  }
}

json::array to_json_array(const std::vector<ZoneProxyPlan>& proxies) {
  json::array out;
  for (const ZoneProxyPlan& proxy : proxies) {
    json::array differences;
    for (const Difference& difference : proxy.differences) {
      json::object object = to_json_object(difference);
      object.erase("dataplanes");
      differences.push_back(std::move(object));
    }
    json::object object{{"type", proxy.type}, {"name", proxy.name}, {"differences", std::move(differences)}, {"differencesLeftOut", proxy.differences_left_out}};
    if (!proxy.error.empty()) {
      object["error"] = proxy.error;
    }
    out.push_back(std::move(object));
  }
  return out;
}

}  // namespace kuma::plan
