#include <optional>

#include "base/text.h"
#include "boost/url/parse.hpp"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/externalservice.pb.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "mesh/v1alpha1/zoneegress.pb.h"
#include "model/selectors.h"
#include "model/validate_prometheus.h"
#include "model/validators.h"

namespace kuma::model {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using Networking = pb::Dataplane::Networking;

constexpr std::string_view kLoopback = "127.0.0.1";

bool is_any_address(std::string_view address) { return address == "0.0.0.0" || address == "::"; }

// Whether a socket on the address is one on 127.0.0.1 too, where Envoy's admin interface listens.
bool is_on_loopback(std::string_view address) { return address == kLoopback || is_any_address(address); }

const std::string& first_set(const std::string& a, const std::string& b) { return a.empty() ? b : a; }

void validate_address(const FieldPath& path, const std::string& address, Violations& violations) {
  if (address.empty()) {
    violations.add(path, "address can't be empty");
  } else if (is_any_address(address)) {
    violations.add(path, "must not be 0.0.0.0 or ::");
  } else if (!is_ip_address(address) && !is_dns_name(address)) {
    violations.add(path, "address has to be valid IP address or domain name");
  }
}

void validate_ip(const FieldPath& path, const std::string& address, Violations& violations) {
  if (!address.empty() && !is_ip_address(address)) {
    violations.add(path, "address has to be valid IP address");
  }
}

void validate_service_probe(const Networking::Inbound::ServiceProbe& probe, const FieldPath& path, Violations& violations) {
  if (probe.has_interval()) {
    validate_duration(path.field("interval"), true, probe.interval(), violations);
  }
  if (probe.has_timeout()) {
    validate_duration(path.field("timeout"), true, probe.timeout(), violations);
  }
  if (probe.has_unhealthy_threshold()) {
    validate_threshold(path.field("unhealthyThreshold"), probe.unhealthy_threshold().value(), violations);
  }
  if (probe.has_healthy_threshold()) {
    validate_threshold(path.field("healthyThreshold"), probe.healthy_threshold().value(), violations);
  }
}

void validate_service_address(const Networking::Inbound& inbound, const std::string& proxy_address, const FieldPath& path,
                              Violations& violations) {
  const std::string& service = inbound.serviceaddress();
  if (service.empty()) {
    return;
  }
  if (!is_ip_address(service)) {
    violations.add(path, "serviceAddress has to be valid IP address");
  }
  // Traffic that goes to where it is received would go round for ever.
  const bool same_address = service == proxy_address || service == inbound.address();
  const bool same_port = inbound.serviceport() == 0 || inbound.serviceport() == inbound.port();
  if (same_address && same_port) {
    violations.add(path, "serviceAddress and servicePort has to differ from address and port");
  }
}

void validate_inbound(const Networking::Inbound& inbound, const std::string& proxy_address, const FieldPath& path,
                      Violations& violations) {
  validate_port(path.field("port"), inbound.port(), violations);
  if (inbound.serviceport() != 0) {
    validate_port(path.field("servicePort"), inbound.serviceport(), violations);
  }
  validate_service_address(inbound, proxy_address, path.field("serviceAddress"), violations);
  validate_ip(path.field("address"), inbound.address(), violations);
  const FieldPath tags = path.field("tags");
  validate_tags(tags, inbound.tags(), {.extra = validate_protocol_tag}, violations);
  if (!inbound.tags().contains(std::string(kServiceTag))) {
    violations.add(tags.key(kServiceTag), "tag has to exist");
  }
  if (inbound.has_serviceprobe()) {
    validate_service_probe(inbound.serviceprobe(), path.field("serviceProbe"), violations);
  }
}

void validate_outbound(const Networking::Outbound& outbound, const FieldPath& path, Violations& violations) {
  validate_port(path.field("port"), outbound.port(), violations);
  validate_ip(path.field("address"), outbound.address(), violations);
  validate_tags(path.field("tags"), outbound.tags(), {.service_required = true}, violations);
}

void validate_networking(const Networking& networking, const FieldPath& path, Violations& violations) {
  validate_address(path.field("address"), networking.address(), violations);
  for (size_t i = 0; const auto& inbound : networking.inbound()) {
    validate_inbound(inbound, networking.address(), path.field("inbound").index(i++), violations);
  }
  for (size_t i = 0; const auto& outbound : networking.outbound()) {
    validate_outbound(outbound, path.field("outbound").index(i++), violations);
  }
}

void validate_gateway_tags(const Networking::Gateway& gateway, const FieldPath& path, Violations& violations) {
  TagRules rules{.service_required = true};
  rules.extra = [](const FieldPath& at, const TagMap& tags, Violations& found) {
    const auto protocol = tags.find(std::string(kProtocolTag));
    if (protocol != tags.end() && protocol->second != "tcp") {
      found.add(at.key(kProtocolTag), "other values than tcp are not allowed, provided value \"{}\"", protocol->second);
    }
  };
  validate_tags(path.field("tags"), gateway.tags(), rules, violations);
}

void validate_admin_port(const Networking& networking, const FieldPath& path, Violations& violations) {
  const uint32_t admin = networking.admin().port();
  if (admin == 0) {
    return;
  }
  for (const auto& inbound : networking.inbound()) {
    if (inbound.port() == admin && is_on_loopback(first_set(inbound.address(), networking.address()))) {
      violations.add(path, "must differ from inbound");
      break;
    }
  }
  for (const auto& outbound : networking.outbound()) {
    if (outbound.port() == admin && (outbound.address().empty() || is_on_loopback(outbound.address()))) {
      violations.add(path, "must differ from outbound");
      break;
    }
  }
}

bool is_url_path(const std::string& path) {
  return path.starts_with('/') && boost::urls::parse_relative_ref(path).has_value();
}

void validate_probes(const pb::Dataplane::Probes& probes, Violations& violations) {
  const FieldPath path("probes");
  validate_port(path.field("port"), probes.port(), violations);
  for (size_t i = 0; const auto& endpoint : probes.endpoints()) {
    const FieldPath at = path.field("endpoints").index(i++);
    validate_port(at.field("inboundPort"), endpoint.inbound_port(), violations);
    if (!is_url_path(endpoint.inbound_path())) {
      violations.add(at.field("inboundPath"), "should be a valid URL Path");
    }
    if (!is_url_path(endpoint.path())) {
      violations.add(at.field("path"), "should be a valid URL Path");
    }
  }
}

void validate_gateway(const pb::Dataplane& dataplane, const FieldPath& path, Violations& violations) {
  const Networking& networking = dataplane.networking();
  const bool builtin = networking.gateway().type() == Networking::Gateway::BUILTIN;
  if (!networking.inbound().empty()) {
    violations.add(path.field("inbound"), "inbound cannot be defined for {} gateways", builtin ? "builtin" : "delegated");
  }
  if (builtin && !networking.outbound().empty()) {
    violations.add(path.field("outbound"), "outbound cannot be defined for builtin gateways");
  }
  if (builtin && dataplane.has_probes()) {
    violations.add(path.field("probes"), "probes cannot be defined for builtin gateways");
  }
  validate_gateway_tags(networking.gateway(), path.field("gateway"), violations);
  validate_networking(networking, path, violations);
  if (!builtin && dataplane.has_probes()) {
    validate_probes(dataplane.probes(), violations);
  }
}

// Splits `host:port` and `[v6]:port`; nothing when there is no port or too many colons.
std::optional<std::pair<std::string, std::string>> split_host_port(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return std::nullopt;
  }
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":[]") != std::string::npos) {
    return std::nullopt;
  }
  return std::pair(std::move(host), address.substr(colon + 1));
}

void validate_host_port(const FieldPath& path, const std::string& address, Violations& violations) {
  if (address.empty()) {
    violations.add(path, "address can't be empty");
    return;
  }
  const auto parts = split_host_port(address);
  if (!parts) {
    violations.add(path, "unable to parse address");
  }
  const std::string host = parts ? parts->first : "";
  const std::string port_text = parts ? parts->second : "";
  if (!is_ip_address(host) && !is_dns_name(host)) {
    violations.add(path, "address has to be a valid IP address or a domain name");
  }
  const bool digits = !port_text.empty() && port_text.size() < 10 && port_text.find_first_not_of("0123456789") == std::string::npos;
  if (!digits) {
    violations.add(path, "unable to parse port in address");
  }
  validate_port(path, digits ? static_cast<uint32_t>(std::stoul(port_text)) : 0, violations);
}

// What zone ingresses and egresses have in common.
template <typename ZoneNetworking>
void validate_zone_admin_port(const ZoneNetworking& networking, const FieldPath& path, Violations& violations) {
  if (networking.admin().port() != 0 && networking.admin().port() == networking.port() && is_on_loopback(networking.address())) {
    violations.add(path.field("admin").field("port"), "must differ from port");
  }
}

}  // namespace

void validate_dataplane(const Resource& resource, Violations& violations) {
  const auto& dataplane = resource.as<pb::Dataplane>();
  const FieldPath path("networking");
  if (!dataplane.has_networking()) {
    violations.add(path, "must be defined");
    return;
  }
  validate_admin_port(dataplane.networking(), path.field("admin").field("port"), violations);
  if (dataplane.networking().has_gateway()) {
    validate_gateway(dataplane, path, violations);
    return;
  }
  if (dataplane.networking().inbound().empty()) {
    violations.add(path, "has to contain at least one inbound interface or gateway");
  }
  validate_networking(dataplane.networking(), path, violations);
  if (dataplane.has_probes()) {
    validate_probes(dataplane.probes(), violations);
  }
  if (dataplane.has_metrics()) {
    validate_metrics_backend(dataplane.metrics(), FieldPath("metrics"), violations);
  }
}

void validate_zone_ingress(const Resource& resource, Violations& violations) {
  const auto& ingress = resource.as<pb::ZoneIngress>();
  const pb::ZoneIngress::Networking& networking = ingress.networking();
  const FieldPath path("networking");
  const FieldPath address = path.field("advertisedAddress");
  const FieldPath port = path.field("advertisedPort");
  validate_zone_admin_port(networking, path, violations);
  if (networking.advertisedaddress().empty() && networking.advertisedport() != 0) {
    violations.add(address, "has to be defined with advertisedPort");
  }
  if (!networking.advertisedaddress().empty() && networking.advertisedport() == 0) {
    violations.add(port, "has to be defined with advertisedAddress");
  }
  if (!networking.address().empty()) {
    validate_address(path.field("address").field("address"), networking.address(), violations);
  }
  if (!networking.advertisedaddress().empty()) {
    validate_address(address.field("address"), networking.advertisedaddress(), violations);
  }
  validate_port(path.field("port"), networking.port(), violations);
  if (networking.advertisedport() != 0) {
    validate_port(port, networking.advertisedport(), violations);
  }
  for (size_t i = 0; const auto& service : ingress.availableservices()) {
    validate_tags(FieldPath("availableService").index(i++).field("tags"), service.tags(), {.service_required = true}, violations);
  }
}

void validate_zone_egress(const Resource& resource, Violations& violations) {
  const pb::ZoneEgress::Networking& networking = resource.as<pb::ZoneEgress>().networking();
  const FieldPath path("networking");
  validate_zone_admin_port(networking, path, violations);
  if (!networking.address().empty()) {
    validate_address(path.field("address").field("address"), networking.address(), violations);
  }
  validate_port(path.field("port"), networking.port(), violations);
}

void validate_external_service(const Resource& resource, Violations& violations) {
  const auto& service = resource.as<pb::ExternalService>();
  const FieldPath path("networking");
  if (!service.has_networking()) {
    violations.add(path, "should have networking");
  } else {
    validate_host_port(path.field("address"), service.networking().address(), violations);
    const auto& tls = service.networking().tls();
    const FieldPath at = path.field("tls");
    if (tls.has_server_name() && tls.server_name().value().empty()) {
      violations.add(at.field("serverName"), "cannot be empty");
    }
    if (tls.has_ca_cert()) {
      validate_data_source(at.field("caCert"), tls.ca_cert(), violations);
    }
    if (tls.has_client_cert()) {
      validate_data_source(at.field("clientCert"), tls.client_cert(), violations);
    }
    if (tls.has_client_key()) {
      validate_data_source(at.field("clientKey"), tls.client_key(), violations);
    }
  }
  validate_tags(FieldPath("tags"), service.tags(), {.service_required = true, .extra = validate_protocol_tag}, violations);
}

}  // namespace kuma::model
