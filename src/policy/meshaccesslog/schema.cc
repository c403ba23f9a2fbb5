#include "policy/meshaccesslog/schema.h"

#include "base/status.h"
#include "base/text.h"
#include "model/access_log_format.h"
#include "model/selectors.h"
#include "policy/envoy/collector.h"
#include "policy/meshaccesslog/backend.h"
#include "policy/target_ref_schema.h"

namespace kuma::policy {
namespace {

using model::array;
using model::kRequired;
using model::object;
using model::string;

model::JsonSchema backend() {
  const model::JsonSchema pair = object({{"key", string()}, {"value", string()}});
  const model::JsonSchema format = object({{"type", model::enumeration({"Plain", "Json"}), kRequired},
                                           {"plain", string()},
                                           {"json", array(pair).keeping_empty()},
                                           {"omitEmptyValues", model::boolean()}});
  return object({
      {"type", model::enumeration({"Tcp", "File", "OpenTelemetry"}), kRequired},
      {"tcp", object({{"format", format}, {"address", string(), kRequired}})},
      {"file", object({{"format", format}, {"path", string(), kRequired}})},
      {"openTelemetry",
       object({{"attributes", array(pair)}, {"body", model::any()}, {"endpoint", string().length(1), kRequired}})},
  });
}

const model::JsonSchema& schema() {
  static const model::JsonSchema kConf = object({{"backends", array(backend()).keeping_empty()}});
  static const model::JsonSchema kSchema = object({
      {"targetRef", target_ref_schema().always(), kRequired},
      {"to", array(item_schema(kConf))},
      {"from", array(item_schema(kConf))},
  });
  return kSchema;
}

// `host`, `host:port` or `ip:port`.
bool is_address(std::string_view address) {
  const size_t colon = address.rfind(':');
  const bool has_port = colon != std::string_view::npos && !is_ip_address(address);
  std::string_view host = has_port ? address.substr(0, colon) : address;
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  const std::string_view port = has_port ? address.substr(colon + 1) : "80";
  const bool digits = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string_view::npos;
  return digits && std::stoul(std::string(port)) <= 65535 && (is_ip_address(host) || model::is_dns_name(host));
}

// The reference takes any text here, and then no proxy that logs with it gets a configuration any more.
void check_operators(const ConfView& format, Violations& violations) {
  if (const absl::Status status = model::check_access_log_format(format.text()); !status.ok()) {
    violations.add(format.path(), "{}", message_of(status));
  }
}

void validate_pair(const ConfView& pair, Violations& violations) {
  const ConfView key = pair["key"];
  const ConfView value = pair["value"];
  if (key.text().empty()) {
    violations.add(key.path(), "key cannot be empty");
  }
  if (value.text().empty()) {
    violations.add(value.path(), "value cannot be empty");
  }
  // The reference makes an object of the pairs' text, so what would need escapes does not work there.
  if (!parse_json(fmt::format("{{\"{}\": \"{}\"}}", key.text(), value.text())).ok()) {
    violations.add(pair.path(), "is not a valid JSON object");
  }
  check_operators(value, violations);
}

void validate_format(const ConfView& format, Violations& violations) {
  if (!format) {
    return;
  }
  const bool json = format["type"].text() == "Json";
  const ConfView body = format[json ? "json" : "plain"];
  if (!body) {
    violations.add(body.path(), "must be defined");
    return;
  }
  if (json ? body.empty() : body.text().empty()) {
    violations.add(body.path(), "must not be empty");
  }
  if (!json) {
    check_operators(body, violations);
  }
  for (const ConfView& pair : body.items()) {
    validate_pair(pair, violations);
  }
}

void validate_collector(const ConfView& section, Violations& violations) {
  const ConfView endpoint = section["endpoint"];
  if (const auto collector = envoy::parse_otlp_endpoint(endpoint.text()); !collector.ok()) {
    violations.add(endpoint.path(), "{}", message_of(collector.status()));
  }
  if (const ConfView body = section["body"]; body) {
    if (const absl::Status status = meshaccesslog::check_body(*body.value()); !status.ok()) {
      violations.add(body.path(), "{}", message_of(status));
    }
  }
}

void validate_backend(const ConfView& backend, Violations& violations) {
  const std::string_view type = backend["type"].text();
  const ConfView section = backend[type == "Tcp" ? "tcp" : type == "File" ? "file" : "openTelemetry"];
  if (!section) {
    violations.add(section.path(), "must be defined");
    return;
  }
  if (type == "Tcp" && !is_address(section["address"].text())) {
    violations.add(section["address"].path(), "tcp backend requires valid address");
  }
  if (type == "File" && !is_file_path(section["path"].text())) {
    violations.add(section["path"].path(), "file backend requires a valid path");
  }
  if (type == "OpenTelemetry") {
    validate_collector(section, violations);
  } else {
    validate_format(section["format"], violations);
  }
}

void validate_conf(const ConfView& conf, Violations& violations) {
  const ConfView backends = conf["backends"];
  if (!backends) {
    violations.add(backends.path(), "must be defined");
  }
  for (const ConfView& one : backends.items()) {
    validate_backend(one, violations);
  }
}

void validate(const model::Resource& resource, Violations& violations) {
  const ConfView spec = spec_view(resource);
  validate_target_ref(spec["targetRef"], kAnyProxyOrGateway, violations);
  if (spec["from"].empty() && spec["to"].empty()) {
    violations.add(spec.path(), "at least one of 'from', 'to' has to be defined");
  }
  for (const ConfView& item : spec["to"].items()) {
    validate_target_ref(item["targetRef"], kMeshOrService, violations);
    validate_conf(item["default"], violations);
  }
  for (const ConfView& item : spec["from"].items()) {
    validate_target_ref(item["targetRef"], kMeshOnly, violations);
    validate_conf(item["default"], violations);
  }
}

}  // namespace

model::ResourceType mesh_access_log_type() {
  model::ResourceType type =
      target_ref_type("MeshAccessLog", "meshaccesslog", "meshaccesslogs", "Mesh Access Log", "Mesh Access Logs", schema(), validate);
  type.has_to = type.has_from = true;
  return type;
}

}  // namespace kuma::policy
