#include "xds/gen/gateway_inspection.h"

#include "policy/legacy.h"
#include "xds/gen/gateway.h"
#include "xds/gen/gateway_policies.h"

namespace kuma::xds {
namespace {

using gateway::Backend;
using gateway::MeshGatewayRoute;

class HostInspector {
 public:
  HostInspector(const mesh::MeshView& view, const gateway::Host& host)
      : host_(host), policies_(view, host.tags), faults_(view.policies_of("FaultInjection"), host.tags) {}

  GatewayHost inspect(bool http) const {
    GatewayHost found{.name = host_.name, .entries = {}};
    if (http) {
      for (const gateway::HttpEntry& entry : gateway::http_entries(host_)) {
        found.entries.push_back(http_entry(entry));
      }
      return found;
    }
    for (const model::ResourcePtr& route : host_.routes) {
      for (const auto& rule : route->as<MeshGatewayRoute>().conf().tcp().rules()) {
        GatewayEntry& entry = found.entries.emplace_back(GatewayEntry{.route = route->meta.name, .destinations = {}, .mirrors = {}});
        for (const Backend& backend : rule.backends()) {
          entry.destinations.push_back(destination(backend));
        }
      }
    }
    return found;
  }

 private:
  GatewayEntry http_entry(const gateway::HttpEntry& from) const {
    GatewayEntry entry{.route = from.route->meta.name, .destinations = {}, .mirrors = {}};
    for (const Backend& backend : from.rule->backends()) {
      entry.destinations.push_back(destination(backend));
    }
    for (const auto& filter : from.rule->filters()) {
      if (filter.has_mirror()) {
        entry.mirrors.push_back(destination(filter.mirror().backend()));
      }
    }
    return entry;
  }

  GatewayDestination destination(const Backend& backend) const {
    GatewayDestination found{.tags = mesh::to_tags(backend.destination()), .policies = {}};
    gateway::DestinationPolicies chosen = policies_.select(found.tags);
    const std::pair<std::string_view, model::ResourcePtr> all[] = {{"CircuitBreaker", chosen.circuit_breaker},
                                                                   {"FaultInjection", faults_.select(found.tags)},
                                                                   {"HealthCheck", chosen.health_check},
                                                                   {"RateLimit", chosen.rate_limit},
                                                                   {"Retry", chosen.retry},
                                                                   {"Timeout", chosen.timeout}};
    for (const auto& [type, policy] : all) {
      if (policy != nullptr) {
        found.policies.emplace(type, policy);
      }
    }
    return found;
  }

  const gateway::Host& host_;
  gateway::HostPolicies policies_;
  gateway::ListenerPolicies faults_;
};

}  // namespace

GatewayInspection inspect_gateway(const mesh::MeshView& view, const mesh::DataplaneView& dataplane) {
  GatewayInspection found;
  const model::ResourcePtr* resource = policy::select_for_dataplane(view.policies_of("MeshGateway"), dataplane);
  if (resource == nullptr) {
    return found;
  }
  found.gateway = *resource;
  for (const gateway::Port& port : gateway::plan_ports(view, dataplane, **resource)) {
    GatewayListener& listener = found.listeners.emplace_back(GatewayListener{
        .port = port.number(), .protocol = gateway::MeshGateway::Listener::Protocol_Name(port.first->protocol()), .hosts = {}});
    for (const gateway::Host& host : port.hosts) {
      listener.hosts.push_back(HostInspector(view, host).inspect(port.is_http()));
    }
  }
  const policy::OutboundPolicies logs(view.policies_of("TrafficLog"), dataplane);
  if (const model::ResourcePtr* log = logs.select(policy::kPassThroughService)) {
    found.policies.emplace("TrafficLog", *log);
  }
  if (const model::ResourcePtr* trace = policy::select_for_dataplane(view.policies_of("TrafficTrace"), dataplane)) {
    found.policies.emplace("TrafficTrace", *trace);
  }
  return found;
}

}  // namespace kuma::xds
