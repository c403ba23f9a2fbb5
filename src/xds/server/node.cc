#include "xds/server/node.h"

#include <charconv>

#include "base/json.h"
#include "base/status.h"
#include "base/version.h"
#include "base/violations.h"
#include "model/proto_json.h"
#include "model/rest.h"

namespace kuma::xds {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;
using google::protobuf::Struct;

std::string text(const Struct& metadata, const std::string& member) {
  const auto found = metadata.fields().find(member);
  return found == metadata.fields().end() ? "" : found->second.string_value();
}

uint32_t port(const Struct& metadata, const std::string& member) {
  const std::string digits = text(metadata, member);
  uint32_t number = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return failure == std::errc() && end == digits.data() + digits.size() && number <= 65535 ? number : 0;
}

// `<tmp>/kuma-al-<name>-<mesh>.sock`, of at most 98 bytes before the ending: a socket's path has 108.
std::string socket_path(std::string_view kind, const model::ResourceKey& key) {
  return fmt::format("/tmp/kuma-{}-{}-{}", kind, key.name, key.mesh).substr(0, 98) + ".sock";
}

ProxyMetadata parse_metadata(const Struct& metadata, const model::ResourceKey& key) {
  ProxyMetadata out;
  const std::string type = text(metadata, "dataplane.proxyType");
  out.proxy_type = type == "ingress"  ? ProxyType::ZoneIngress
                   : type == "egress" ? ProxyType::ZoneEgress
                                      : ProxyType::Dataplane;
  out.admin_port = port(metadata, "dataplane.admin.port");
  out.admin_address = text(metadata, "dataplane.admin.address");
  out.readiness_port = port(metadata, "dataplane.readinessReporter.port");
  out.dns_port = port(metadata, "dataplane.dns.port");
  out.dns_empty_port = port(metadata, "dataplane.dns.empty.port");
  out.access_log_socket_path = text(metadata, "accessLogSocketPath");
  out.metrics_socket_path = text(metadata, "metricsSocketPath");
  out.metrics_cert_path = text(metadata, "metricsCertPath");
  out.metrics_key_path = text(metadata, "metricsKeyPath");
  if (out.access_log_socket_path.empty()) {
    out.access_log_socket_path = socket_path("al", key);
    out.metrics_socket_path = socket_path("mh", key);
  }
  if (const auto features = metadata.fields().find("features"); features != metadata.fields().end()) {
    for (const auto& feature : features->second.list_value().values()) {
      out.features.push_back(feature.string_value());
    }
  }
  return out;
}

pb::Version parse_version(const Struct& metadata) {
  pb::Version version;
  const auto found = metadata.fields().find("version");
  if (found == metadata.fields().end()) {
    return version;
  }
  // What an old or foreign kuma-dp sends and we can't read is not worth refusing the proxy for.
  if (!model::from_json_value(model::to_json_object(found->second.struct_value()), version).ok()) {
    version.Clear();
  }
  version.mutable_kumadp()->set_kumacpcompatible(compatible_versions(kVersion, version.kumadp().version()));
  if (const auto dynamic = metadata.fields().find("dynamicMetadata"); dynamic != metadata.fields().end()) {
    constexpr std::string_view kPrefix = "version.dependencies.";
    for (const auto& [key, value] : dynamic->second.struct_value().fields()) {
      if (key.starts_with(kPrefix)) {
        (*version.mutable_dependencies())[key.substr(kPrefix.size())] = value.string_value();
      }
    }
  }
  return version;
}

void parse_resource(const std::string& document, const model::Registry& registry, Node& node) {
  const auto value = parse_yaml(document);
  if (!value.ok()) {
    node.resource_problem = std::string(message_of(value.status()));
    return;
  }
  auto parsed = model::from_rest(registry, *value);
  if (!parsed.ok()) {
    const bool invalid = !violations_of(parsed.status()).empty();
    (invalid ? node.resource_violations : node.resource_problem) = std::string(message_of(parsed.status()));
    return;
  }
  const std::string_view type = parsed->resource.type->name;
  if (type != "Dataplane" && type != "ZoneIngress" && type != "ZoneEgress") {
    node.resource_problem = fmt::format("a proxy can't be a {}", type);
    return;
  }
  node.resource = std::move(parsed->resource);
}

}  // namespace

absl::StatusOr<model::ResourceKey> parse_node_id(std::string_view id) {
  if (id.empty()) {
    return absl::InvalidArgumentError("invalid node ID: Envoy ID must not be nil");
  }
  const size_t dot = id.find('.');
  if (dot == std::string_view::npos) {
    return absl::InvalidArgumentError("invalid node ID: the name should be provided after the dot");
  }
  if (dot + 1 == id.size()) {
    return absl::InvalidArgumentError("invalid node ID: name must not be empty");
  }
  return model::ResourceKey{std::string(id.substr(0, dot)), std::string(id.substr(dot + 1))};
}

absl::StatusOr<Node> parse_node(const envoy::config::core::v3::Node& message, const model::Registry& registry) {
  Node node;
  node.id = message.id();
  KUMA_ASSIGN_OR_RETURN(node.key, parse_node_id(node.id));
  node.metadata = parse_metadata(message.metadata(), node.key);
  node.version = parse_version(message.metadata());
  if (const std::string document = text(message.metadata(), "dataplane.resource"); !document.empty()) {
    parse_resource(document, registry, node);
  }
  return node;
}

std::string_view resource_type_name(ProxyType type) {
  switch (type) {
    case ProxyType::Dataplane:
      return "Dataplane";
    case ProxyType::ZoneIngress:
      return "ZoneIngress";
    case ProxyType::ZoneEgress:
      return "ZoneEgress";
  }
  return "Dataplane";
}

}  // namespace kuma::xds
