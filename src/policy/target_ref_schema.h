#pragma once

#include <initializer_list>

#include "model/json_schema.h"
#include "model/resource_type.h"
#include "policy/conf_view.h"
#include "policy/target_ref.h"

namespace kuma::policy {

// Schemas and checks that the targetRef policies share (spec/policy-matching.md §1).

model::JsonSchema target_ref_schema();
// A targetRef with a weight.
model::JsonSchema backend_ref_schema();
// A header's name, and lists of `set` and `add` (names with values, at most 16 each) as several policies have them.
model::JsonSchema header_name_schema();
model::JsonSchema header_values_schema();
// How a header has to look: type (Exact when absent), name, value.
model::JsonSchema header_match_schema();
// `{targetRef, default}`, the element of `to` and `from`. `conf` is the schema of `default`.
model::JsonSchema item_schema(model::JsonSchema conf);

// Which kinds a place takes, for the two sets most used.
inline constexpr std::initializer_list<TargetKind> kAnyProxy = {TargetKind::Mesh, TargetKind::MeshSubset, TargetKind::MeshService,
                                                                TargetKind::MeshServiceSubset};
inline constexpr std::initializer_list<TargetKind> kAnyProxyOrGateway = {
    TargetKind::Mesh, TargetKind::MeshSubset, TargetKind::MeshGateway, TargetKind::MeshService, TargetKind::MeshServiceSubset};
inline constexpr std::initializer_list<TargetKind> kMeshOrService = {TargetKind::Mesh, TargetKind::MeshService};
inline constexpr std::initializer_list<TargetKind> kMeshOnly = {TargetKind::Mesh};

// Adds what is wrong with a targetRef: no kind, a kind that the place does not take, a name, a mesh or tags that do not
// belong to the kind.
void validate_target_ref(const ConfView& target, std::initializer_list<TargetKind> kinds, Violations& violations);

// A policy's ResourceType; the caller adds has_to, has_from. Names must be literals. `plural` is the path, too.
model::ResourceType target_ref_type(std::string_view name, std::string_view singular, std::string_view plural,
                                    std::string_view display_singular, std::string_view display_plural, const model::JsonSchema& schema,
                                    void (*validate)(const model::Resource&, Violations&));

// Adds what Envoy would refuse of a header's value, or of a match of it: a line break, a regular expression that is none.
void check_header_value(const ConfView& value, Violations& violations);
void check_header_values(const ConfView& set_and_add, Violations& violations);
void check_header_match(const ConfView& match, Violations& violations);

// What is wrong with the settings that rules merged to, as the validator would say it; for policies that were not checked
// here when they were applied, as those synced from an older or a newer peer. InvalidArgument names the field below
// `default`. After OK every value reads as its schema says.
absl::Status check_merged(const json::value& conf, const model::JsonSchema& schema,
                          void (*validate)(const ConfView& conf, Violations& violations));

// The whole spec of a policy, at `spec`.
ConfView spec_view(const model::Resource& resource);

}  // namespace kuma::policy
