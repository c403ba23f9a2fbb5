#include "model/resource_type.h"

#include <algorithm>

#include "mesh/v1alpha1/circuit_breaker.pb.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/dataplane_insight.pb.h"
#include "mesh/v1alpha1/externalservice.pb.h"
#include "mesh/v1alpha1/fault_injection.pb.h"
#include "mesh/v1alpha1/gateway.pb.h"
#include "mesh/v1alpha1/gateway_route.pb.h"
#include "mesh/v1alpha1/health_check.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "mesh/v1alpha1/mesh_insight.pb.h"
#include "mesh/v1alpha1/proxy_template.pb.h"
#include "mesh/v1alpha1/rate_limit.pb.h"
#include "mesh/v1alpha1/retry.pb.h"
#include "mesh/v1alpha1/service_insight.pb.h"
#include "mesh/v1alpha1/timeout.pb.h"
#include "mesh/v1alpha1/traffic_log.pb.h"
#include "mesh/v1alpha1/traffic_permission.pb.h"
#include "mesh/v1alpha1/traffic_route.pb.h"
#include "mesh/v1alpha1/traffic_trace.pb.h"
#include "mesh/v1alpha1/virtual_outbound.pb.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "mesh/v1alpha1/zone_ingress_insight.pb.h"
#include "mesh/v1alpha1/zoneegress.pb.h"
#include "mesh/v1alpha1/zoneegressinsight.pb.h"
#include "model/validators.h"
#include "system/v1alpha1/config.pb.h"
#include "system/v1alpha1/secret.pb.h"
#include "system/v1alpha1/zone.pb.h"
#include "system/v1alpha1/zone_insight.pb.h"

namespace kuma::model {
namespace {

namespace mesh_pb = ::kuma::mesh::v1alpha1;
namespace system_pb = ::kuma::system::v1alpha1;
using enum KdsDirection;

template <typename T>
const google::protobuf::Message* prototype() {
  return &T::default_instance();
}

// What the legacy policies have in common.
ResourceType policy(std::string_view name, std::string_view path, std::string_view singular, std::string_view display,
                    std::string_view display_plural, const google::protobuf::Message* spec,
                    void (*validate)(const Resource&, Violations&)) {
  return {.name = name, .path = path, .kumactl_singular = singular, .kumactl_plural = path, .display_singular = display,
          .display_plural = display_plural, .is_policy = true, .inspectable = true, .kds = GlobalToZone, .insight_type = "",
          .prototype = spec, .validate = validate};
}

ResourceType insight(std::string_view name, Scope scope, std::string_view path, KdsDirection kds,
                     const google::protobuf::Message* spec) {
  return {.name = name, .scope = scope, .path = path, .kumactl_singular = "", .kumactl_plural = "", .display_singular = "",
          .display_plural = "", .read_only = true, .kds = kds, .insight_type = "", .prototype = spec};
}

}  // namespace

std::vector<ResourceType> core_types() {
  std::vector<ResourceType> types;
  types.push_back({.name = "Mesh", .scope = Scope::Global, .path = "meshes", .kumactl_singular = "mesh", .kumactl_plural = "meshes",
                   .display_singular = "Mesh", .display_plural = "Meshes", .kds = GlobalToZone, .insight_type = "",
                   .prototype = prototype<mesh_pb::Mesh>(), .validate = validate_mesh});
  types.push_back({.name = "Dataplane", .path = "dataplanes", .kumactl_singular = "dataplane", .kumactl_plural = "dataplanes",
                   .display_singular = "Dataplane", .display_plural = "Dataplanes", .kds = ZoneToGlobal,
                   .insight_type = "DataplaneInsight", .prototype = prototype<mesh_pb::Dataplane>(), .validate = validate_dataplane});
  types.push_back(insight("DataplaneInsight", Scope::Mesh, "dataplane-insights", ZoneToGlobal, prototype<mesh_pb::DataplaneInsight>()));
  types.push_back({.name = "ExternalService", .path = "external-services", .kumactl_singular = "external-service",
                   .kumactl_plural = "external-services", .display_singular = "External Service",
                   .display_plural = "External Services", .kds = GlobalToZone, .insight_type = "",
                   .prototype = prototype<mesh_pb::ExternalService>(), .validate = validate_external_service});
  types.push_back({.name = "ZoneIngress", .scope = Scope::Global, .path = "zone-ingresses", .kumactl_singular = "zone-ingress",
                   .kumactl_plural = "zone-ingresses", .display_singular = "Zone Ingress", .display_plural = "Zone Ingresses",
                   .kds = Both, .insight_type = "ZoneIngressInsight", .prototype = prototype<mesh_pb::ZoneIngress>(),
                   .validate = validate_zone_ingress});
  types.push_back(insight("ZoneIngressInsight", Scope::Global, "zone-ingress-insights", ZoneToGlobal, prototype<mesh_pb::ZoneIngressInsight>()));
  types.push_back({.name = "ZoneEgress", .scope = Scope::Global, .path = "zoneegresses", .kumactl_singular = "zoneegress",
                   .kumactl_plural = "zoneegresses", .display_singular = "Zone Egress", .display_plural = "Zone Egresses",
                   .kds = ZoneToGlobal, .insight_type = "ZoneEgressInsight", .prototype = prototype<mesh_pb::ZoneEgress>(),
                   .validate = validate_zone_egress});
  types.push_back(insight("ZoneEgressInsight", Scope::Global, "zoneegressinsights", ZoneToGlobal, prototype<mesh_pb::ZoneEgressInsight>()));
  types.push_back(insight("MeshInsight", Scope::Global, "mesh-insights", None, prototype<mesh_pb::MeshInsight>()));
  types.push_back(insight("ServiceInsight", Scope::Mesh, "service-insights", GlobalToZone, prototype<mesh_pb::ServiceInsight>()));

  types.push_back(policy("MeshGateway", "meshgateways", "meshgateway", "Mesh Gateway", "Mesh Gateways",
                         prototype<mesh_pb::MeshGateway>(), validate_mesh_gateway));
  types.back().inspectable = false;  // its inspection has a form of its own
  types.push_back(policy("MeshGatewayRoute", "meshgatewayroutes", "meshgatewayroute", "Mesh Gateway Route", "Mesh Gateway Routes",
                         prototype<mesh_pb::MeshGatewayRoute>(), validate_mesh_gateway_route));
  types.back().inspectable = false;
  types.push_back(policy("VirtualOutbound", "virtual-outbounds", "virtual-outbound", "Virtual Outbound", "Virtual Outbounds",
                         prototype<mesh_pb::VirtualOutbound>(), validate_virtual_outbound));
  types.back().inspectable = false;
  types.push_back(policy("CircuitBreaker", "circuit-breakers", "circuit-breaker", "Circuit Breaker", "Circuit Breakers",
                         prototype<mesh_pb::CircuitBreaker>(), validate_circuit_breaker));
  types.push_back(policy("FaultInjection", "fault-injections", "fault-injection", "Fault Injection", "Fault Injections",
                         prototype<mesh_pb::FaultInjection>(), validate_fault_injection));
  types.push_back(policy("HealthCheck", "health-checks", "healthcheck", "Health Check", "Health Checks",
                         prototype<mesh_pb::HealthCheck>(), validate_health_check));
  types.back().kumactl_plural = "healthchecks";
  types.push_back(policy("ProxyTemplate", "proxytemplates", "proxytemplate", "Proxy Template", "Proxy Templates",
                         prototype<mesh_pb::ProxyTemplate>(), validate_proxy_template));
  types.push_back(policy("RateLimit", "rate-limits", "rate-limit", "Rate Limit", "Rate Limits",
                         prototype<mesh_pb::RateLimit>(), validate_rate_limit));
  types.push_back(policy("Retry", "retries", "retry", "Retry", "Retries", prototype<mesh_pb::Retry>(), validate_retry));
  types.push_back(policy("Timeout", "timeouts", "timeout", "Timeout", "Timeouts", prototype<mesh_pb::Timeout>(), validate_timeout));
  types.push_back(policy("TrafficLog", "traffic-logs", "traffic-log", "Traffic Log", "Traffic Logs",
                         prototype<mesh_pb::TrafficLog>(), validate_traffic_log));
  types.push_back(policy("TrafficPermission", "traffic-permissions", "traffic-permission", "Traffic Permission",
                         "Traffic Permissions", prototype<mesh_pb::TrafficPermission>(), validate_traffic_permission));
  types.push_back(policy("TrafficRoute", "traffic-routes", "traffic-route", "Traffic Route", "Traffic Routes",
                         prototype<mesh_pb::TrafficRoute>(), validate_traffic_route));
  types.push_back(policy("TrafficTrace", "traffic-traces", "traffic-trace", "Traffic Trace", "Traffic Traces",
                         prototype<mesh_pb::TrafficTrace>(), validate_traffic_trace));

  types.push_back({.name = "Zone", .scope = Scope::Global, .path = "zones", .kumactl_singular = "zone", .kumactl_plural = "zones",
                   .display_singular = "Zone", .display_plural = "Zones", .insight_type = "ZoneInsight",
                   .prototype = prototype<system_pb::Zone>()});
  types.push_back(insight("ZoneInsight", Scope::Global, "zone-insights", None, prototype<system_pb::ZoneInsight>()));
  types.push_back({.name = "Secret", .path = "secrets", .kumactl_singular = "secret", .kumactl_plural = "secrets",
                   .display_singular = "Secret", .display_plural = "Secrets", .admin_only = true, .kds = GlobalToZone,
                   .insight_type = "", .prototype = prototype<system_pb::Secret>()});
  types.push_back({.name = "GlobalSecret", .scope = Scope::Global, .path = "global-secrets", .kumactl_singular = "global-secret",
                   .kumactl_plural = "global-secrets", .display_singular = "Global Secret", .display_plural = "Global Secrets",
                   .admin_only = true, .kds = GlobalToZone, .insight_type = "", .prototype = prototype<system_pb::Secret>()});
  types.push_back({.name = "Config", .scope = Scope::Global, .path = "", .kumactl_singular = "", .kumactl_plural = "",
                   .display_singular = "", .display_plural = "", .kds = GlobalToZone, .insight_type = "",
                   .prototype = prototype<system_pb::Config>()});
  return types;
}

Registry::Registry(std::vector<ResourceType> types) : types_(std::move(types)) {
  std::sort(types_.begin(), types_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
}

const ResourceType* Registry::find(std::string_view name) const {
  const auto found = std::lower_bound(types_.begin(), types_.end(), name, [](const auto& type, std::string_view n) { return type.name < n; });
  return found != types_.end() && found->name == name ? &*found : nullptr;
}

const ResourceType* Registry::find_by_path(std::string_view path) const {
  const auto found = std::find_if(types_.begin(), types_.end(), [&](const auto& type) { return !path.empty() && type.path == path; });
  return found == types_.end() ? nullptr : &*found;
}

const ResourceType* Registry::find_by_kumactl(std::string_view word) const {
  const auto found = std::find_if(types_.begin(), types_.end(), [&](const auto& type) {
    return !word.empty() && (type.kumactl_singular == word || type.kumactl_plural == word);
  });
  return found == types_.end() ? nullptr : &*found;
}

}  // namespace kuma::model
