// Validators that are not written yet.
#include "model/access_log_format.h"
#include "model/validators.h"
namespace kuma::model {
void validate_mesh_gateway(const Resource&, Violations&) {}
void validate_mesh_gateway_route(const Resource&, Violations&) {}
void validate_virtual_outbound(const Resource&, Violations&) {}
void validate_circuit_breaker(const Resource&, Violations&) {}
void validate_fault_injection(const Resource&, Violations&) {}
void validate_health_check(const Resource&, Violations&) {}
void validate_proxy_template(const Resource&, Violations&) {}
void validate_rate_limit(const Resource&, Violations&) {}
void validate_retry(const Resource&, Violations&) {}
void validate_timeout(const Resource&, Violations&) {}
void validate_traffic_log(const Resource&, Violations&) {}
void validate_traffic_permission(const Resource&, Violations&) {}
void validate_traffic_route(const Resource&, Violations&) {}
void validate_traffic_trace(const Resource&, Violations&) {}
}  // namespace kuma::model
