#include <algorithm>
#include <array>

#include "base/status.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "mesh/v1alpha1/proxy_template.pb.h"
#include "model/envoy_text.h"
#include "model/selectors.h"
#include "model/validators.h"

namespace kuma::model {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using Modifications = pb::ProxyTemplate::Modifications;

constexpr std::array<std::string_view, 4> kProfiles = {"default-proxy", "egress-proxy", "gateway-proxy", "ingress-proxy"};

namespace hcm = ::envoy::extensions::filters::network::http_connection_manager::v3;

void check(const absl::Status& status, const FieldPath& path, Violations& violations) {
  if (!status.ok()) {
    violations.add(path, "native Envoy resource is not valid: {}", message_of(status));
  }
}

// `Resource` is the message that the modification's value has to be.
template <typename Resource, typename Modification>
void validate_value(const Modification& change, const FieldPath& path, Violations& violations) {
  const Resource& prototype = Resource::default_instance();
  check(change.operation() == "patch" ? check_envoy_patch(change.value(), prototype) : check_envoy_resource(change.value(), prototype),
        path.field("value"), violations);
}

// Clusters and listeners.
template <typename Resource, typename Modification>
void validate_resource(const Modification& change, const FieldPath& path, Violations& violations) {
  if (change.operation() == "add") {
    if (change.has_match()) {
      violations.add(path.field("match"), "cannot be defined");
    }
    validate_value<Resource>(change, path, violations);
  } else if (change.operation() == "patch") {
    validate_value<Resource>(change, path, violations);
  } else if (change.operation() != "remove") {
    violations.add(path.field("operation"), "invalid operation. Available operations: \"add\", \"patch\", \"remove\"");
  }
}

void validate_virtual_host(const Modifications::VirtualHost& change, const FieldPath& path, Violations& violations) {
  if (change.operation() == "add") {
    if (!change.match().name().empty()) {
      violations.add(path.field("match").field("name"), "cannot be defined");
    }
    validate_value<::envoy::config::route::v3::VirtualHost>(change, path, violations);
  } else if (change.operation() == "patch") {
    validate_value<::envoy::config::route::v3::VirtualHost>(change, path, violations);
  } else if (change.operation() != "remove") {
    violations.add(path.field("operation"), "invalid operation. Available operations: \"add\", \"patch\", \"remove\"");
  }
}

// Network and HTTP filters.
template <typename Resource, typename Modification>
void validate_filter(const Modification& change, const FieldPath& path, Violations& violations) {
  const std::string& operation = change.operation();
  const FieldPath name = path.field("match").field("name");
  const bool beside = operation == "addBefore" || operation == "addAfter";
  if (operation == "remove") {
    return;
  }
  if (operation != "addFirst" && operation != "addLast" && operation != "patch" && !beside) {
    violations.add(path.field("operation"),
                   "invalid operation. Available operations: \"addFirst\", \"addLast\", \"addBefore\", \"addAfter\", \"patch\", \"remove\"");
    return;
  }
  if (beside && change.match().name().empty()) {
    violations.add(name, "cannot be empty. You need to pick a filter {} which this one will be added",
                   operation == "addBefore" ? "before" : "after");
  }
  if (operation == "patch" && change.match().name().empty()) {
    violations.add(name, "cannot be empty");
  }
  validate_value<Resource>(change, path, violations);
}

void validate_modification(const Modifications& change, const FieldPath& path, Violations& violations) {
  switch (change.type_case()) {
    case Modifications::kCluster:
      validate_resource<::envoy::config::cluster::v3::Cluster>(change.cluster(), path.field("cluster"), violations);
      break;
    case Modifications::kListener:
      validate_resource<::envoy::config::listener::v3::Listener>(change.listener(), path.field("listener"), violations);
      break;
    case Modifications::kNetworkFilter:
      validate_filter<::envoy::config::listener::v3::Filter>(change.networkfilter(), path.field("networkFilter"), violations);
      break;
    case Modifications::kHttpFilter:
      validate_filter<hcm::HttpFilter>(change.httpfilter(), path.field("httpFilter"), violations);
      break;
    case Modifications::kVirtualHost:
      validate_virtual_host(change.virtualhost(), path.field("virtualHost"), violations);
      break;
    case Modifications::TYPE_NOT_SET:
      break;
  }
}

void validate_raw_resource(const pb::ProxyTemplateRawResource& raw, const FieldPath& path, Violations& violations) {
  if (raw.name().empty()) {
    violations.add(path.field("name"), "cannot be empty");
  }
  if (raw.version().empty()) {
    violations.add(path.field("version"), "cannot be empty");
  }
  if (raw.resource().empty()) {
    violations.add(path.field("resource"), "cannot be empty");
  } else {
    check(read_envoy_any(raw.resource(), UnknownFields::Refuse).status(), path.field("resource"), violations);
  }
}

}  // namespace

void validate_proxy_template(const Resource& resource, Violations& violations) {
  const auto& proxy_template = resource.as<pb::ProxyTemplate>();
  SelectorRules rules;
  rules.at_least_one = false;
  rules.tags.service_required = true;
  validate_selectors(FieldPath("selectors"), proxy_template.selectors(), rules, violations);
  const FieldPath path("conf");
  for (size_t i = 0; const std::string& profile : proxy_template.conf().imports()) {
    const FieldPath at = path.field("imports").index(i++);
    if (profile.empty()) {
      violations.add(at, "cannot be empty");
    } else if (std::find(kProfiles.begin(), kProfiles.end(), profile) == kProfiles.end()) {
      violations.add(at, "profile not found. Available profiles: {}", fmt::join(kProfiles, ","));
    }
  }
  for (size_t i = 0; const auto& raw : proxy_template.conf().resources()) {
    validate_raw_resource(raw, path.field("resources").index(i++), violations);
  }
  for (size_t i = 0; const Modifications& change : proxy_template.conf().modifications()) {
    validate_modification(change, path.field("modifications").index(i++), violations);
  }
}

}  // namespace kuma::model
