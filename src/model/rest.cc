#include "model/rest.h"

#include "base/status.h"
#include "base/text.h"
#include "model/json_schema.h"
#include "model/proto_json.h"

namespace kuma::model {
namespace {

constexpr std::string_view kHintUrl = "kuma/hint";
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

// The reference reports a schema's violation as a field and a message only below `spec.`; else it is one sentence.
Violations as_reported(const Violations& found) {
  Violations reported;
  for (const Violation& violation : found.list()) {
    if (violation.field.empty() || violation.field.starts_with("spec.")) {
      reported.add(violation.field, violation.message);
    } else {
      reported.add("", fmt::format("{} {}", violation.field, violation.message));
    }
  }
  return reported;
}

// The schema of the document around the spec.
void check_envelope(const ResourceType& type, const json::value& document, Violations& violations) {
  if (const json::value* name = find(document, "type"); name != nullptr) {
    enumeration({std::string(type.name)}).check(*name, FieldPath("type"), violations);
  }
  for (const char* member : {"mesh", "name"}) {
    if (const json::value* value = find(document, member); value != nullptr) {
      string().check(*value, FieldPath(member), violations);
    }
  }
}

absl::StatusOr<Resource> read_target_ref_spec(const ResourceType& type, Resource resource, const json::value& document) {
  Violations violations;
  check_envelope(type, document, violations);
  const json::value* spec = find(document, "spec");
  if (spec != nullptr) {
    type.schema->check(*spec, FieldPath("spec"), violations);
  }
  KUMA_RETURN_IF_ERROR(as_reported(violations).to_status());
  auto normal = type.schema->normalize(spec == nullptr ? json::value(json::object()) : *spec);
  if (!normal.ok()) {
    return wrong_kind(type, message_of(normal.status()));
  }
  resource.spec = *std::move(normal);
  return resource;
}

absl::StatusOr<Resource> read_message_spec(const ResourceType& type, Resource resource, const json::value& spec) {
  std::unique_ptr<google::protobuf::Message> message(type.prototype->New());
  if (const absl::Status status = from_json_value(spec, *message); !status.ok()) {
    absl::Status reported = wrong_kind(type, reference_text_of(status));
    reported.SetPayload(to_absl(kHintUrl), absl::Cord(to_absl(message_of(status))));
    return reported;
  }
  resource.message = std::move(message);
  return resource;
}

}  // namespace

std::string decode_hint_of(const absl::Status& status) {
  const auto hint = status.GetPayload(to_absl(kHintUrl));
  return hint ? std::string(*hint) : std::string();
}

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
  Resource resource;
  resource.type = &type;
  if (type.is_target_ref) {  // the schema has its say on the metadata, too
    KUMA_ASSIGN_OR_RETURN(resource, read_target_ref_spec(type, std::move(resource), document));
  } else {
    KUMA_ASSIGN_OR_RETURN(resource, read_message_spec(type, std::move(resource), document));
  }
  KUMA_ASSIGN_OR_RETURN(out.type, meta_text(type, document, "type"));
  KUMA_ASSIGN_OR_RETURN(resource.meta.name, meta_text(type, document, "name"));
  KUMA_ASSIGN_OR_RETURN(resource.meta.mesh, meta_text(type, document, "mesh"));
  out.resource = std::move(resource);
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
  auto normal = type.schema->normalize(spec);
  if (!normal.ok()) {
    return wrong_kind(type, message_of(normal.status()));
  }
  resource.spec = *std::move(normal);
  return resource;
}

}  // namespace kuma::model
