// Validators that are not written yet.
#include "model/access_log_format.h"
#include "model/validators.h"
namespace kuma::model {
void validate_virtual_outbound(const Resource&, Violations&) {}
void validate_proxy_template(const Resource&, Violations&) {}
void validate_traffic_route(const Resource&, Violations&) {}
}  // namespace kuma::model
