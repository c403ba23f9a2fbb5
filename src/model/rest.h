#pragma once

#include "absl/status/statusor.h"
#include "base/json.h"
#include "model/resource.h"

namespace kuma::model {

// The REST form of a resource: type, mesh, name, creationTime, modificationTime, then the spec (flat for protobuf types,
// under `spec` for targetRef policies).
json::object to_rest(const Resource& resource);
// Only the spec's JSON object, as stores and KDS carry it.
json::object spec_to_json(const Resource& resource);

// Reads the metadata members and the spec of a REST form. The type is the one of `type` (unknown: InvalidArgument).
// Steps and errors are those of spec/resources.md §2.3: a value that does not decode is InvalidArgument
// `invalid {Type} object: '…'`; violations of a targetRef policy's schema, then of the type's validator, are a
// Violations status (violations_of). Names are not checked here (validate_meta).
struct RestDocument {
  Resource resource;
  std::string type;  // as written
};
absl::StatusOr<RestDocument> from_rest(const Registry& registry, const json::value& document);
// The same with the type known from elsewhere (the URL); the document's own `type` is returned, not compared.
absl::StatusOr<RestDocument> from_rest(const ResourceType& type, const json::value& document);
// What is wrong, where, and what would be right, of a status of from_rest for a value that does not decode; its message is
// the reference's, which names no place. Empty for others.
std::string decode_hint_of(const absl::Status& status);

// Decodes a spec alone, without validation: what stores and KDS read back.
absl::StatusOr<Resource> from_spec_json(const ResourceType& type, ResourceKey key, const json::value& spec);

// The rules for names of spec/resources.md §3. `existing`: an update of a stored resource, whose older names are let pass.
// `zone_name` is set in a zone control plane, where `{zone}.{name}` has to be short enough.
struct MetaRules {
  bool existing = false;
  std::string zone_name;
};
void validate_meta(const ResourceType& type, const ResourceMeta& meta, const MetaRules& rules, Violations& violations);

}  // namespace kuma::model
