#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>

#include "mesh/v1alpha1/gateway.pb.h"
#include "model/selectors.h"
#include "model/validators.h"

namespace kuma::model {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using Gateway = pb::MeshGateway;
using Listener = pb::MeshGateway::Listener;

constexpr std::array<std::string_view, 4> kReservedTags = {"kuma.io/external-service-name", "kuma.io/protocol", "kuma.io/service",
                                                           "kuma.io/zone"};
constexpr int kCertificatesMax = 2;

void validate_own_tags(const FieldPath& path, const TagMap& tags, Violations& violations) {
  TagRules rules{.selector = true};
  rules.extra_key = [](const FieldPath& at, const std::string& key, Violations& found) {
    if (std::find(kReservedTags.begin(), kReservedTags.end(), key) != kReservedTags.end()) {
      found.add(at.key(key), "tag name must not be \"{}\"", key);
    }
  };
  validate_tags(path, tags, rules, violations);
}

void validate_tls(const Listener& listener, const FieldPath& path, Violations& violations) {
  const bool https = listener.protocol() == Listener::HTTPS;
  if (listener.crossmesh()) {
    if (listener.tls().mode() != Gateway::TLS::NONE || !listener.tls().certificates().empty()) {
      violations.add(path, "must be empty with crossMesh");
    }
    return;
  }
  if (!listener.has_tls()) {
    if (https) {
      violations.add(path, "cannot be empty");
    }
    return;
  }
  switch (listener.tls().mode()) {
    case Gateway::TLS::NONE:
      violations.add(path.field("mode"), "cannot be empty");
      break;
    case Gateway::TLS::PASSTHROUGH:
      if (https) {
        violations.add(path.field("mode"), "mode is not supported on HTTPS listeners");
      }
      break;
    case Gateway::TLS::TERMINATE:
      if (listener.tls().certificates().empty()) {
        violations.add(path.field("certificates"), "cannot be empty in TLS termination mode");
      } else if (listener.tls().certificates_size() > kCertificatesMax) {
        violations.add(path.field("certificates"), "cannot have more than {} certificates", kCertificatesMax);
      }
      break;
    default:
      break;  // a number that no mode has
  }
}

void validate_listener(const Listener& listener, const FieldPath& path, Violations& violations) {
  if (!listener.hostname().empty()) {
    validate_hostname(path.field("hostname"), listener.hostname(), violations);
  }
  validate_port(path.field("port"), listener.port(), violations);
  if (listener.protocol() == Listener::NONE) {
    violations.add(path.field("protocol"), "cannot be empty");
  } else if (listener.protocol() == Listener::HTTPS && listener.crossmesh()) {
    violations.add(path.field("protocol"), "protocol is not supported with crossMesh");
  }
  validate_tls(listener, path.field("tls"), violations);
  validate_own_tags(path.field("tags"), listener.tags(), violations);
}

// What the listeners of one port have to agree on, as they become one Envoy listener.
struct Port {
  std::set<int> protocols;
  std::map<std::string, size_t> hostnames;  // and how many listeners have it
  std::set<uint32_t> connection_limits;     // those given
};

const std::string& hostname_of(const Listener& listener) {
  static const std::string kAny = "*";
  return listener.hostname().empty() ? kAny : listener.hostname();
}

void validate_ports(const Gateway::Conf& conf, const FieldPath& path, Violations& violations) {
  std::map<uint32_t, Port> ports;
  for (const Listener& listener : conf.listeners()) {
    Port& port = ports[listener.port()];
    port.protocols.insert(listener.protocol());
    ++port.hostnames[hostname_of(listener)];
    if (listener.resources().connection_limit() != 0) {
      port.connection_limits.insert(listener.resources().connection_limit());
    }
  }
  for (size_t i = 0; const Listener& listener : conf.listeners()) {
    const FieldPath at = path.index(i++);
    const Port& port = ports[listener.port()];
    if (port.protocols.size() > 1) {
      violations.add(at, "protocol conflicts with other listeners on this port");
    }
    if (port.hostnames.at(hostname_of(listener)) > 1) {
      violations.add(at, "multiple listeners for hostname on this port");
    }
    if (port.connection_limits.size() > 1 && listener.resources().connection_limit() != 0) {
      violations.add(at.field("resources").field("connectionLimit"), "conflicting values for this port");
    }
  }
}

}  // namespace

void validate_mesh_gateway(const Resource& resource, Violations& violations) {
  const auto& gateway = resource.as<Gateway>();
  SelectorRules rules;
  rules.tags.service_required = true;
  rules.at_most_one = std::any_of(gateway.conf().listeners().begin(), gateway.conf().listeners().end(),
                                  [](const Listener& listener) { return listener.crossmesh(); });
  validate_selectors(FieldPath("selectors"), gateway.selectors(), rules, violations);
  validate_own_tags(FieldPath("tags"), gateway.tags(), violations);
  const FieldPath path("conf");
  if (!gateway.has_conf()) {
    violations.add(path, "cannot be empty");
    return;
  }
  if (gateway.conf().listeners().empty()) {
    violations.add(path.field("listeners"), "cannot be empty");
    return;
  }
  for (size_t i = 0; const Listener& listener : gateway.conf().listeners()) {
    validate_listener(listener, path.field("listeners").index(i++), violations);
  }
  validate_ports(gateway.conf(), path.field("listeners"), violations);
}

}  // namespace kuma::model
