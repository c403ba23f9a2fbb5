#include "model/rest.h"

#include "base/status.h"
#include "base/text.h"
#include "model/json_schema.h"
#include "model/proto_json.h"

namespace kuma::model {
namespace {

constexpr std::string_view kUnsetTime = "0001-01-01T00:00:00Z";

std::string time_text(WallTime time) { return time == WallTime{} ? std::string(kUnsetTime) : format_rfc3339(time); }

absl::Status wrong_kind(const ResourceType& type, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("invalid {} object: '{}'", type.name, what));
}

// A text member of the metadata; anything else that is there is an error.
absl::StatusOr<std::string> meta_text(const ResourceType& type, const json::value& document, std::string_view member) {
  const json::value* value = find(document, member);
  if (value == nullptr || value->is_null()) {
    return std::string();
  }
  if (!value->is_string()) {
    return wrong_kind(type, fmt::format("{}: expected a string, got {}", member, to_json(*value)));
  }
  return std::string(value->get_string());
}

absl::StatusOr<Resource> read_target_ref_spec(const ResourceType& type, Resource resource, const json::value* spec) {
  const json::value empty = json::object();
  const json::value& value = spec == nullptr || spec->is_null() ? empty : *spec;
  Violations violations;
  type.schema->check(value, FieldPath("spec"), violations);
  KUMA_RETURN_IF_ERROR(violations.to_status());
  auto normal = type.schema->normalize(value);
  if (!normal.ok()) {
    return wrong_kind(type, message_of(normal.status()));
  }
  resource.spec = *std::move(normal);
  return resource;
}

absl::StatusOr<Resource> read_message_spec(const ResourceType& type, Resource resource, const json::value& spec) {
  std::unique_ptr<google::protobuf::Message> message(type.prototype->New());
  if (absl::Status status = from_json_value(spec, *message); !status.ok()) {
    return wrong_kind(type, message_of(status));
  }
  resource.message = std::move(message);
  return resource;
}

}  // namespace

json::object spec_to_json(const Resource& resource) {
  if (resource.type->is_target_ref) {
    return resource.spec.is_object() ? resource.spec.get_object() : json::object();
  }
  return resource.message == nullptr ? json::object() : to_json_object(*resource.message);
}

json::object to_rest(const Resource& resource) {
  json::object document;
  document["type"] = resource.type->name;
  if (resource.type->scope == Scope::Mesh) {
    document["mesh"] = resource.meta.mesh;
  }
  document["name"] = resource.meta.name;
  document["creationTime"] = time_text(resource.meta.creation_time);
  document["modificationTime"] = time_text(resource.meta.modification_time);
  json::object spec = spec_to_json(resource);
  if (resource.type->is_target_ref) {
    document["spec"] = std::move(spec);
    return document;
  }
  for (auto& entry : spec) {
    document.emplace(entry.key(), std::move(entry.value()));
  }
  return document;
}

absl::StatusOr<RestDocument> from_rest(const ResourceType& type, const json::value& document) {
  if (!document.is_object()) {
    return wrong_kind(type, fmt::format("expected an object, got {}", to_json(document).substr(0, 80)));
  }
  RestDocument out;
  KUMA_ASSIGN_OR_RETURN(out.type, meta_text(type, document, "type"));
  Resource resource;
  resource.type = &type;
  KUMA_ASSIGN_OR_RETURN(resource.meta.name, meta_text(type, document, "name"));
  KUMA_ASSIGN_OR_RETURN(resource.meta.mesh, meta_text(type, document, "mesh"));
  if (type.is_target_ref) {
    KUMA_ASSIGN_OR_RETURN(out.resource, read_target_ref_spec(type, std::move(resource), find(document, "spec")));
  } else {
    KUMA_ASSIGN_OR_RETURN(out.resource, read_message_spec(type, std::move(resource), document));
  }
  if (type.scope == Scope::Global) {
    out.resource.meta.mesh.clear();
  }
  if (type.validate != nullptr) {
    Violations violations;
    type.validate(out.resource, violations);
    KUMA_RETURN_IF_ERROR(violations.to_status());
  }
  return out;
}

absl::StatusOr<RestDocument> from_rest(const Registry& registry, const json::value& document) {
  const json::value* type_value = find(document, "type");
  if (!document.is_object()) {
    return absl::InvalidArgumentError(fmt::format("expected an object with a type, got {}", to_json(document).substr(0, 80)));
  }
  const std::string name = type_value != nullptr && type_value->is_string() ? std::string(type_value->get_string()) : "";
  const ResourceType* type = registry.find(name);
  if (type == nullptr) {
    return absl::InvalidArgumentError(fmt::format("invalid resource type \"{}\"", name));
  }
  return from_rest(*type, document);
}

absl::StatusOr<Resource> from_spec_json(const ResourceType& type, ResourceKey key, const json::value& spec) {
  Resource resource;
  resource.type = &type;
  resource.meta.mesh = std::move(key.mesh);
  resource.meta.name = std::move(key.name);
  if (!type.is_target_ref) {
    return read_message_spec(type, std::move(resource), spec);
  }
  // What older versions or peers stored is taken as it is where the schema of today would refuse it.
  auto normal = type.schema->normalize(spec);
  resource.spec = normal.ok() ? *std::move(normal) : spec;
  return resource;
}

}  // namespace kuma::model
