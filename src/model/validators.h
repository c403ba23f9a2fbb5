#pragma once

#include "base/violations.h"
#include "model/resource.h"

namespace kuma::model {

// The spec validators of the core types (spec/resources.md §5): what can be said of a spec alone. Violations come in the
// order in which clients of the reference see them. Checks that need other resources are src/manager's.
void validate_mesh(const Resource& resource, Violations& violations);
void validate_dataplane(const Resource& resource, Violations& violations);
void validate_zone_ingress(const Resource& resource, Violations& violations);
void validate_zone_egress(const Resource& resource, Violations& violations);
void validate_external_service(const Resource& resource, Violations& violations);
void validate_mesh_gateway(const Resource& resource, Violations& violations);
void validate_mesh_gateway_route(const Resource& resource, Violations& violations);
void validate_virtual_outbound(const Resource& resource, Violations& violations);
void validate_circuit_breaker(const Resource& resource, Violations& violations);
void validate_fault_injection(const Resource& resource, Violations& violations);
void validate_health_check(const Resource& resource, Violations& violations);
void validate_proxy_template(const Resource& resource, Violations& violations);
void validate_rate_limit(const Resource& resource, Violations& violations);
void validate_retry(const Resource& resource, Violations& violations);
void validate_timeout(const Resource& resource, Violations& violations);
void validate_traffic_log(const Resource& resource, Violations& violations);
void validate_traffic_permission(const Resource& resource, Violations& violations);
void validate_traffic_route(const Resource& resource, Violations& violations);
void validate_traffic_trace(const Resource& resource, Violations& violations);

}  // namespace kuma::model
