#include <array>

#include "base/text.h"
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
using Inbound = Networking::Inbound;

// An address of a proxy: an IP or a name that resolves to one.
void validate_address(const FieldPath& path, const std::string& address, Violations& violations) {
  if (address.empty()) {
    violations.add(path, "address can't be empty");
  } else if (address == "0.0.0.0" || address == "::") {
    violations.add(path, "must not be 0.0.0.0 or ::");
  } else if (!is_ip_address(address) && !is_dns_name(address)) {
    violations.add(path, "address has to be valid IP address or domain name");
  }
}

// Envoy's admin listens on the loopback, so what listens there (or everywhere) must not have its port.
bool overlaps_loopback(const std::string& address) {
  return address.empty() || address == "127.0.0.1" || address == "0.0.0.0" || address == "::" || address == "::1";
}

const std::string& inbound_address(const Networking& networking, const Inbound& inbound) {
  return inbound.address().empty() ? networking.address() : inbound.address();
}

void validate_admin_port(const Networking& networking, const FieldPath& path, Violations& violations) {
  const uint32_t port = networking.admin().port();
  if (port == 0) {
    return;
  }
  const FieldPath at = path.field("admin").field("port");
  for (const Inbound& inbound : networking.inbound()) {
    if (inbound.port() == port && overlaps_loopback(inbound_address(networking, inbound))) {
      violations.add(at, "must differ from inbound");
    }
    const uint32_t service_port = inbound.serviceport() == 0 ? inbound.port() : inbound.serviceport();
    const std::string& service_address = inbound.serviceaddress().empty() ? inbound_address(networking, inbound) : inbound.serviceaddress();
    if (service_port == port && inbound.port() != port && overlaps_loopback(service_address)) {
      violations.add(at, "must differ from inbound");
    }
  }
  for (const Networking::Outbound& outbound : networking.outbound()) {
    if (outbound.port() == port && overlaps_loopback(outbound.address())) {
      violations.add(at, "must differ from outbound");
    }
  }
}

void validate_gateway(const Networking& networking, const FieldPath& path, bool has_probes, Violations& violations) {
  const Networking::Gateway& gateway = networking.gateway();
  if (gateway.type() == Networking::Gateway::DELEGATED) {
    if (networking.inbound_size() > 0) {
      violations.add(path.field("inbound"), "inbound cannot be defined for delegated gateways");
    }
  } else {
    if (networking.inbound_size() > 0) {
      violations.add(path.field("inbound"), "inbound cannot be defined for builtin gateways");
    }
    if (networking.outbound_size() > 0) {
      violations.add(path.field("outbound"), "outbound cannot be defined for builtin gateways");
    }
    if (has_probes) {
      violations.add(path.field("probes"), "probes cannot be defined for builtin gateways");
    }
  }
  TagRules rules{.service_required = true};
  rules.extra_key = [&](const FieldPath& at, const std::string& key, Violations& found) {
    if (key == kProtocolTag && gateway.tags().at(key) != "tcp") {
      found.add(at.key(key), "other values than tcp are not allowed, provided value \"{}\"", gateway.tags().at(key));
    }
  };
  validate_tags(path.field("gateway").field("tags"), gateway.tags(), rules, violations);
}

void validate_service_probe(const Inbound::ServiceProbe& probe, const FieldPath& path, Violations& violations) {
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

void validate_inbound(const Networking& networking, const Inbound& inbound, const FieldPath& path, Violations& violations) {
  validate_port(path.field("port"), inbound.port(), violations);
  if (inbound.serviceport() != 0) {
    validate_port(path.field("servicePort"), inbound.serviceport(), violations);
  }
  if (!inbound.serviceaddress().empty()) {
    if (!is_ip_address(inbound.serviceaddress())) {
      violations.add(path.field("serviceAddress"), "serviceAddress has to be valid IP address");
    }
    const bool same_port = inbound.serviceport() == 0 || inbound.serviceport() == inbound.port();
    if (same_port && inbound.serviceaddress() == inbound_address(networking, inbound)) {
      violations.add(path.field("serviceAddress"), "serviceAddress and servicePort has to differ from address and port");
    }
  }
  if (!inbound.address().empty() && !is_ip_address(inbound.address())) {
    violations.add(path.field("address"), "address has to be valid IP address");
  }
  const FieldPath tags = path.field("tags");
  TagRules rules;
  validate_protocol_tag(tags, inbound.tags(), violations);
  validate_tags(tags, inbound.tags(), rules, violations);
  if (!inbound.tags().contains(std::string(kServiceTag))) {
    violations.add(tags.key(kServiceTag), "tag has to exist");
  }
  if (inbound.has_serviceprobe()) {
    validate_service_probe(inbound.serviceprobe(), path.field("serviceProbe"), violations);
  }
}

void validate_outbound(const Networking::Outbound& outbound, const FieldPath& path, Violations& violations) {
  validate_port(path.field("port"), outbound.port(), violations);
  if (!outbound.address().empty() && !is_ip_address(outbound.address())) {
    violations.add(path.field("address"), "address has to be valid IP address");
  }
  if (outbound.tags().empty()) {
    violations.add(path.field("tags"), "mandatory tag \"kuma.io/service\" is missing");
  } else {
    validate_tags(path.field("tags"), outbound.tags(), {.service_required = true}, violations);
  }
}

bool is_url_path(const std::string& text) { return !text.empty() && text[0] == '/' && text.find_first_of(" \t\r\n") == std::string::npos; }

void validate_probes(const pb::Dataplane::Probes& probes, Violations& violations) {
  const FieldPath path("probes");
  validate_port(path.field("port"), probes.port(), violations);
  for (int i = 0; i < probes.endpoints_size(); ++i) {
    const auto& endpoint = probes.endpoints(i);
    const FieldPath at = path.field("endpoints").index(static_cast<size_t>(i));
    validate_port(at.field("inboundPort"), endpoint.inbound_port(), violations);
    if (!is_url_path(endpoint.inbound_path())) {
      violations.add(at.field("inboundPath"), "should be a valid URL Path");
    }
    if (!is_url_path(endpoint.path())) {
      violations.add(at.field("path"), "should be a valid URL Path");
    }
  }
}

// The parts that ZoneIngress and ZoneEgress share.
template <typename ZoneNetworking>
void validate_zone_networking(const ZoneNetworking& networking, const FieldPath& path, Violations& violations) {
  if (networking.admin().port() != 0 && networking.admin().port() == networking.port() && overlaps_loopback(networking.address())) {
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
  const Networking& networking = dataplane.networking();
  validate_admin_port(networking, path, violations);
  if (networking.has_gateway()) {
    validate_gateway(networking, path, dataplane.has_probes(), violations);
  } else if (networking.inbound_size() == 0) {
    violations.add(path, "has to contain at least one inbound interface or gateway");
  }
  validate_address(path.field("address"), networking.address(), violations);
  if (!networking.has_gateway() || networking.gateway().type() == Networking::Gateway::DELEGATED) {
    for (int i = 0; i < networking.inbound_size() && !networking.has_gateway(); ++i) {
      validate_inbound(networking, networking.inbound(i), path.field("inbound").index(static_cast<size_t>(i)), violations);
    }
    for (int i = 0; i < networking.outbound_size(); ++i) {
      validate_outbound(networking.outbound(i), path.field("outbound").index(static_cast<size_t>(i)), violations);
    }
    if (dataplane.has_probes()) {
      validate_probes(dataplane.probes(), violations);
    }
  }
  if (dataplane.has_metrics() && !networking.has_gateway()) {
    validate_metrics_backend(dataplane.metrics(), FieldPath("metrics"), violations);
  }
}

void validate_zone_ingress(const Resource& resource, Violations& violations) {
  const auto& ingress = resource.as<pb::ZoneIngress>();
  const FieldPath path("networking");
  const auto& networking = ingress.networking();
  validate_zone_networking(networking, path, violations);
  if (networking.advertisedaddress().empty() && networking.advertisedport() != 0) {
    violations.add(path.field("advertisedAddress"), "has to be defined with advertisedPort");
  }
  if (!networking.advertisedaddress().empty() && networking.advertisedport() == 0) {
    violations.add(path.field("advertisedPort"), "has to be defined with advertisedAddress");
  }
  if (!networking.address().empty()) {
    validate_address(path.field("address").field("address"), networking.address(), violations);
  }
  if (!networking.advertisedaddress().empty()) {
    validate_address(path.field("advertisedAddress").field("address"), networking.advertisedaddress(), violations);
  }
  validate_port(path.field("port"), networking.port(), violations);
  if (networking.advertisedport() != 0) {
    validate_port(path.field("advertisedPort"), networking.advertisedport(), violations);
  }
  for (int i = 0; i < ingress.availableservices_size(); ++i) {
    validate_tags(FieldPath("availableService").index(static_cast<size_t>(i)).field("tags"), ingress.availableservices(i).tags(),
                  {.service_required = true}, violations);
  }
}

void validate_zone_egress(const Resource& resource, Violations& violations) {
  const auto& networking = resource.as<pb::ZoneEgress>().networking();
  const FieldPath path("networking");
  validate_zone_networking(networking, path, violations);
  if (!networking.address().empty()) {
    validate_address(path.field("address").field("address"), networking.address(), violations);
  }
  validate_port(path.field("port"), networking.port(), violations);
}

void validate_external_service(const Resource& resource, Violations& violations) {
  const auto& service = resource.as<pb::ExternalService>();
  const FieldPath path("networking");
  const FieldPath at = path.field("address");
  if (!service.has_networking()) {
    violations.add(path, "should have networking");
  } else {
    const std::string& address = service.networking().address();
    if (address.empty()) {
      violations.add(at, "address can't be empty");
    } else {
      const size_t colon = address.rfind(':');
      std::string host = colon == std::string::npos ? "" : address.substr(0, colon);
      const std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
      const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
      if (colon == std::string::npos || (!bracketed && host.find(':') != std::string::npos)) {
        violations.add(at, "unable to parse address");
        host.clear();
      }
      if (bracketed) {
        host = host.substr(1, host.size() - 2);
      }
      if (!is_ip_address(host) && !is_dns_name(host)) {
        violations.add(at, "address has to be a valid IP address or a domain name");
      }
      if (host.empty() || port.empty() || port.size() > 9 || port.find_first_not_of("0123456789") != std::string::npos) {
        violations.add(at, "unable to parse port in address");
      } else {
        validate_port(at, static_cast<uint32_t>(std::stoul(port)), violations);
      }
    }
    const auto& tls = service.networking().tls();
    const FieldPath tls_path = path.field("tls");
    if (tls.has_ca_cert()) {
      validate_data_source(tls_path.field("caCert"), tls.ca_cert(), violations);
    }
    if (tls.has_client_cert()) {
      validate_data_source(tls_path.field("clientCert"), tls.client_cert(), violations);
    }
    if (tls.has_client_key()) {
      validate_data_source(tls_path.field("clientKey"), tls.client_key(), violations);
    }
    if (tls.has_server_name() && tls.server_name().value().empty()) {
      violations.add(tls_path.field("serverName"), "cannot be empty");
    }
  }
  validate_protocol_tag(FieldPath("tags"), service.tags(), violations);
  validate_tags(FieldPath("tags"), service.tags(), {.service_required = true}, violations);
}

}  // namespace kuma::model
