#include "policy/meshaccesslog/apply.h"
#include "policy/meshaccesslog/schema.h"
#include "policy/meshcircuitbreaker/apply.h"
#include "policy/meshcircuitbreaker/schema.h"
#include "policy/meshfaultinjection/apply.h"
#include "policy/meshfaultinjection/schema.h"
#include "policy/meshhealthcheck/apply.h"
#include "policy/meshhealthcheck/schema.h"
#include "policy/meshhttproute/apply.h"
#include "policy/meshhttproute/schema.h"
#include "policy/meshloadbalancingstrategy/apply.h"
#include "policy/meshloadbalancingstrategy/schema.h"
#include "policy/meshproxypatch/apply.h"
#include "policy/meshproxypatch/schema.h"
#include "policy/meshratelimit/apply.h"
#include "policy/meshratelimit/schema.h"
#include "policy/meshretry/apply.h"
#include "policy/meshretry/schema.h"
#include "policy/meshtcproute/apply.h"
#include "policy/meshtcproute/schema.h"
#include "policy/meshtimeout/apply.h"
#include "policy/meshtimeout/schema.h"
#include "policy/meshtrace/apply.h"
#include "policy/meshtrace/schema.h"
#include "policy/meshtrafficpermission/apply.h"
#include "policy/meshtrafficpermission/schema.h"
#include "policy/policy.h"

namespace kuma::policy {

const std::vector<Policy>& policies() {
  static const std::vector<Policy> kPolicies = {
      {.type = mesh_http_route_type(),
       .apply = meshhttproute::apply,
       .leaves_out_invalid = true,
       .makes_outbounds = meshhttproute::makes_outbounds},
      {.type = mesh_tcp_route_type(), .apply = meshtcproute::apply},
      {.type = mesh_load_balancing_strategy_type(),
       .apply = meshloadbalancingstrategy::apply,
       .apply_egress = meshloadbalancingstrategy::apply_egress,
       .leaves_out_invalid = true},
      {.type = mesh_access_log_type(), .apply = meshaccesslog::apply, .leaves_out_invalid = true},
      {.type = mesh_trace_type(), .apply = meshtrace::apply, .leaves_out_invalid = true},
      {.type = mesh_fault_injection_type(), .apply = meshfaultinjection::apply},
      {.type = mesh_rate_limit_type(), .apply = meshratelimit::apply},
      {.type = mesh_timeout_type(), .apply = meshtimeout::apply},
      {.type = mesh_traffic_permission_type(), .apply = meshtrafficpermission::apply, .apply_egress = meshtrafficpermission::apply_egress},
      {.type = mesh_circuit_breaker_type(), .apply = meshcircuitbreaker::apply},
      {.type = mesh_health_check_type(), .apply = meshhealthcheck::apply},
      {.type = mesh_retry_type(), .apply = meshretry::apply},
      {.type = mesh_proxy_patch_type(), .apply = meshproxypatch::apply},
  };
  return kPolicies;
}

std::vector<model::ResourceType> policy_types() {
  std::vector<model::ResourceType> types;
  for (const Policy& policy : policies()) {
    types.push_back(policy.type);
  }
  return types;
}

}  // namespace kuma::policy
