#include "api/global_insight.h"

#include "api/response.h"
#include "base/text.h"
#include "insight/status.h"
#include "mesh/v1alpha1/mesh_insight.pb.h"
#include "mesh/v1alpha1/service_insight.pb.h"
#include "mesh/v1alpha1/zone_ingress_insight.pb.h"
#include "mesh/v1alpha1/zoneegressinsight.pb.h"
#include "system/v1alpha1/zone_insight.pb.h"

namespace kuma::api {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using Service = pb::ServiceInsight::Service;

struct Counts {
  uint64_t offline = 0, online = 0, partially_degraded = 0, total = 0;

  void add(const pb::MeshInsight::DataplaneStat& stat) {
    offline += stat.offline();
    online += stat.online();
    partially_degraded += stat.partially_degraded();
    total += stat.total();
  }
  void add(Service::Status status) {
    offline += status == Service::offline;
    online += status == Service::online;
    partially_degraded += status == Service::partially_degraded;
    ++total;
  }
  json::object to_json() const {
    return {{"offline", offline}, {"online", online}, {"partiallyDegraded", partially_degraded}, {"total", total}};
  }
};

struct Sums {
  Counts standard, builtin, delegated;
  Counts services_internal, services_builtin, services_delegated;
  uint64_t services_external = 0;
  uint64_t meshes = 0;
  uint64_t policies = 0;
};

void add_mesh(const pb::MeshInsight& insight, Sums& sums) {
  ++sums.meshes;
  sums.standard.add(insight.dataplanesbytype().standard());
  sums.builtin.add(insight.dataplanesbytype().gatewaybuiltin());
  sums.delegated.add(insight.dataplanesbytype().gatewaydelegated());
  for (const auto& [type, stat] : insight.policies()) {
    sums.policies += stat.total();
  }
}

void add_services(const pb::ServiceInsight& insight, Sums& sums) {
  for (const auto& [name, service] : insight.services()) {
    switch (service.servicetype()) {
      case Service::external:
        ++sums.services_external;
        break;
      case Service::gateway_builtin:
        sums.services_builtin.add(service.status());
        break;
      case Service::gateway_delegated:
        sums.services_delegated.add(service.status());
        break;
      default:
        sums.services_internal.add(service.status());
    }
  }
}

template <typename Insight>
json::object count_online(const ApiDeps& deps, std::string_view type_name) {
  uint64_t online = 0;
  const auto insights = deps.store.list({.type = deps.registry.find(type_name)});
  for (const model::ResourcePtr& resource : insights.items) {
    online += insight::is_online(resource->as<Insight>().subscriptions());
  }
  return {{"online", online}, {"total", insights.total}};
}

json::object compute(const ApiDeps& deps) {
  Sums sums;
  for (const auto& insight : deps.store.list({.type = deps.registry.find("MeshInsight")}).items) {
    add_mesh(insight->as<pb::MeshInsight>(), sums);
  }
  for (const auto& insight : deps.store.list({.type = deps.registry.find("ServiceInsight")}).items) {
    add_services(insight->as<pb::ServiceInsight>(), sums);
  }
  return {
      {"createdAt", format_rfc3339(deps.clock.wall_now())},
      {"dataplanes", json::object{{"gatewayBuiltin", sums.builtin.to_json()},
                                  {"gatewayDelegated", sums.delegated.to_json()},
                                  {"standard", sums.standard.to_json()}}},
      {"meshes", json::object{{"total", sums.meshes}}},
      {"policies", json::object{{"total", sums.policies}}},
      {"services", json::object{{"external", json::object{{"total", sums.services_external}}},
                                {"gatewayBuiltin", sums.services_builtin.to_json()},
                                {"gatewayDelegated", sums.services_delegated.to_json()},
                                {"internal", sums.services_internal.to_json()}}},
      {"zones", json::object{{"controlPlanes", count_online<system::v1alpha1::ZoneInsight>(deps, "ZoneInsight")},
                             {"zoneEgresses", count_online<pb::ZoneEgressInsight>(deps, "ZoneEgressInsight")},
                             {"zoneIngresses", count_online<pb::ZoneIngressInsight>(deps, "ZoneIngressInsight")}}},
  };
}

}  // namespace

net::HttpResponse GlobalInsight::get() {
  const std::lock_guard lock(mutex_);
  const MonotonicTime now = deps_.clock.monotonic_now();
  const auto lifetime =
      deps_.config.store.cache.enabled ? deps_.config.store.cache.expiration_time : std::chrono::nanoseconds(0);
  if (!last_ || now - computed_at_ >= lifetime) {
    last_ = json_response(200, compute(deps_));
    computed_at_ = now;
  }
  return *last_;
}

}  // namespace kuma::api
