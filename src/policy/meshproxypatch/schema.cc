#include "policy/meshproxypatch/schema.h"

#include "base/status.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "model/envoy_text.h"
#include "policy/target_ref_schema.h"

namespace kuma::policy {
namespace {

using model::array;
using model::enumeration;
using model::kRequired;
using model::object;
using model::string;

model::JsonSchema modification(model::JsonSchema match, bool match_required, std::vector<std::string> operations) {
  const model::JsonSchema patch = object({{"op", enumeration({"add", "remove", "replace", "move", "copy"}), kRequired},
                                          {"path", string(), kRequired},
                                          {"from", string()},
                                          {"value", model::any()}});
  return object({{"operation", enumeration(std::move(operations)), kRequired},
                 {"match", std::move(match), match_required},
                 {"value", string()},
                 {"jsonPatches", array(patch)}});
}

const model::JsonSchema& schema() {
  static const std::vector<std::string> kOnResources = {"Add", "Remove", "Patch"};
  static const std::vector<std::string> kOnFilters = {"Remove", "Patch", "AddFirst", "AddBefore", "AddAfter", "AddLast"};
  static const model::JsonSchema kTags = model::map_of(string());
  static const model::JsonSchema kFilterMatch =
      object({{"origin", string()}, {"name", string()}, {"listenerName", string()}, {"listenerTags", kTags}});
  static const model::JsonSchema kModification = object({
      {"cluster", modification(object({{"origin", string()}, {"name", string()}}), false, kOnResources)},
      {"listener", modification(object({{"origin", string()}, {"name", string()}, {"tags", kTags}}), false, kOnResources)},
      {"networkFilter", modification(kFilterMatch, false, kOnFilters)},
      {"httpFilter", modification(kFilterMatch, false, kOnFilters)},
      {"virtualHost", modification(object({{"origin", string()}, {"name", string()}, {"routeConfigurationName", string()}}), true,
                                   kOnResources)},
  });
  static const model::JsonSchema kSchema = object({
      {"targetRef", target_ref_schema().always(), kRequired},
      {"default", object({{"appendModifications", array(kModification).keeping_empty(), kRequired}}), kRequired},
  });
  return kSchema;
}

// The message that a modification's value is.
const google::protobuf::Message& prototype_of(std::string_view kind) {
  if (kind == "cluster") {
    return ::envoy::config::cluster::v3::Cluster::default_instance();
  }
  if (kind == "listener") {
    return ::envoy::config::listener::v3::Listener::default_instance();
  }
  if (kind == "virtualHost") {
    return ::envoy::config::route::v3::VirtualHost::default_instance();
  }
  if (kind == "networkFilter") {
    return ::envoy::config::listener::v3::Filter::default_instance();
  }
  return ::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter::default_instance();
}

// Of something new, or of what is laid over something.
void validate_value(const ConfView& value, std::string_view kind, bool is_new, Violations& violations) {
  const auto& prototype = prototype_of(kind);
  const absl::Status status =
      is_new ? model::check_envoy_resource(value.text(), prototype) : model::check_envoy_patch(value.text(), prototype);
  if (!status.ok()) {
    violations.add(value.path(), "native Envoy resource is not valid: {}", message_of(status));
  }
}

void validate_json_patch(const ConfView& patch, Violations& violations) {
  const std::string_view op = patch["op"].text();
  const ConfView value = patch["value"];
  const ConfView from = patch["from"];
  const bool takes_value = op == "add" || op == "replace";
  const bool takes_from = op == "move" || op == "copy";
  if (takes_value && !value) {
    violations.add(value.path(), "\"value\" must not be empty when \"op\" is one of [\"add\", \"replace\"]");
  }
  if (!takes_value && value) {
    violations.add(value.path(), "\"value\" is allowed only when \"op\" is one of [\"add\", \"replace\"]");
  }
  if (takes_from && from.text().empty()) {
    violations.add(from.path(), "\"from\" must not be empty when \"op\" is one of [\"move\", \"copy\"]");
  }
  if (!takes_from && !from.text().empty()) {
    violations.add(from.path(), "\"from\" is allowed only when \"op\" is one of [\"move\", \"copy\"]");
  }
  const std::string_view path = patch["path"].text();
  if (!path.empty() && !path.starts_with('/')) {
    violations.add(patch["path"].path(), "must be a JSON pointer: empty, or starting with /");
  }
  if (takes_from && !from.text().empty() && !from.text().starts_with('/')) {
    violations.add(from.path(), "must be a JSON pointer: starting with /");
  }
  if (op == "remove" && (path.empty() || path == "/")) {
    violations.add(patch["path"].path(), "root path cannot be removed");
  }
}

void validate_patch(const ConfView& change, std::string_view kind, Violations& violations) {
  const bool has_value = static_cast<bool>(change["value"]);
  const bool has_patches = !change["jsonPatches"].empty();
  if (has_value == has_patches) {
    violations.add(change.path(), "{} must have {}: value, jsonPatches", kind,
                   has_value ? "only one type defined" : "exactly one defined");
    return;
  }
  if (has_value) {
    validate_value(change["value"], kind, false, violations);
  }
  for (const ConfView& patch : change["jsonPatches"].items()) {
    validate_json_patch(patch, violations);
  }
}

// What has to be true of `match` for the operation.
void validate_match(const ConfView& change, std::string_view kind, Violations& violations) {
  const std::string_view operation = change["operation"].text();
  const ConfView match = change["match"];
  const bool is_filter = kind == "networkFilter" || kind == "httpFilter";
  if (operation == "Add" && kind == "virtualHost" && match["name"]) {
    violations.add(match["name"].path(), "must not be defined");
  }
  if (operation == "Add" && kind != "virtualHost" && match) {
    violations.add(match.path(), "must not be defined");
  }
  if (!is_filter || !match["name"].text().empty()) {
    return;
  }
  if (operation == "AddBefore" || operation == "AddAfter") {
    violations.add(match["name"].path(), "must be defined. You need to pick a filter {} which this one will be added",
                   operation == "AddBefore" ? "before" : "after");
  } else if (operation == "Patch") {
    violations.add(match["name"].path(), "must be defined");
  }
}

void validate_modification(const ConfView& item, Violations& violations) {
  for (const char* kind : {"cluster", "listener", "virtualHost", "networkFilter", "httpFilter"}) {
    const ConfView change = item[kind];
    if (!change) {
      continue;
    }
    validate_match(change, kind, violations);
    const std::string_view operation = change["operation"].text();
    const ConfView value = change["value"];
    if (operation == "Patch") {
      validate_patch(change, kind, violations);
    } else if (operation == "Remove") {
      if (value) {
        violations.add(value.path(), "must not be defined");
      }
    } else if (!value) {
      violations.add(value.path(), "must be defined");
    } else {
      validate_value(value, kind, true, violations);
    }
    return;  // only the first counts
  }
  violations.add(item.path(), "at least one modification has to be defined");
}

void validate(const model::Resource& resource, Violations& violations) {
  const ConfView spec = spec_view(resource);
  validate_target_ref(spec["targetRef"], kAnyProxyOrGateway, violations);
  const ConfView modifications = spec["default"]["appendModifications"];
  if (modifications.empty()) {
    violations.add(modifications.path(), "must not be empty");
  }
  for (const ConfView& item : modifications.items()) {
    validate_modification(item, violations);
  }
}

}  // namespace

model::ResourceType mesh_proxy_patch_type() {
  return target_ref_type("MeshProxyPatch", "meshproxypatch", "meshproxypatches", "Mesh Proxy Patch", "Mesh Proxy Patches", schema(),
                         validate);
}

}  // namespace kuma::policy
