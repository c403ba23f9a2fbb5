#include "policy/target_ref_schema.h"

#include <algorithm>
#include <array>

#include "base/status.h"
#include "model/regex.h"
#include "model/resource.h"
#include "model/selectors.h"

namespace kuma::policy {
namespace {

struct KindRules {
  std::string_view name;
  TargetKind kind;
  bool has_name = false;
  bool has_tags = false;
};

constexpr std::array<KindRules, 6> kKinds = {{
    {"Mesh", TargetKind::Mesh},
    {"MeshSubset", TargetKind::MeshSubset, false, true},
    {"MeshGateway", TargetKind::MeshGateway, true, true},
    {"MeshService", TargetKind::MeshService, true, false},
    {"MeshServiceSubset", TargetKind::MeshServiceSubset, true, true},
    {"MeshHTTPRoute", TargetKind::MeshHTTPRoute, true, false},
}};

const KindRules* find_kind(std::string_view name) {
  const auto found = std::find_if(kKinds.begin(), kKinds.end(), [&](const KindRules& rules) { return rules.name == name; });
  return found == kKinds.end() ? nullptr : &*found;
}

bool is_target_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; });
}

void validate_name(const KindRules& rules, const ConfView& name, Violations& violations) {
  if (rules.has_name && name.text().empty()) {
    violations.add(name.path(), "must be set with kind {}", rules.name);
  } else if (rules.has_name && !is_target_name(name.text())) {
    violations.add(name.path(), "invalid characters. Valid characters are numbers, lowercase latin letters and '-', '_' symbols.");
  } else if (!rules.has_name && !name.text().empty()) {
    if (rules.kind == TargetKind::Mesh) {
      violations.add(name.path(), "using name with kind Mesh is not yet supported");
    } else {
      violations.add(name.path(), "must not be set with kind {}", rules.name);
    }
  }
}

model::TagMap tags_of(const ConfView& tags) {
  model::TagMap out;
  for (const auto& [key, value] : tags.members()) {
    out[std::string(key)] = std::string(value.text());
  }
  return out;
}

}  // namespace

model::JsonSchema target_ref_schema() {
  std::vector<std::string> kinds;
  for (const KindRules& rules : kKinds) {
    kinds.emplace_back(rules.name);
  }
  return model::object({{"kind", model::enumeration(kinds)},
                        {"name", model::string()},
                        {"tags", model::map_of(model::string())},
                        {"mesh", model::string()}});
}

model::JsonSchema backend_ref_schema() {
  model::JsonSchema schema = target_ref_schema();
  schema.members.push_back({"weight", model::uint32().range(0)});
  return schema;
}

model::JsonSchema header_name_schema() {
  return model::string().length(1, 256).matching(R"(^[a-z0-9!#$%&'*+\-.^_\x60|~]+$)");
}

model::JsonSchema header_values_schema() {
  constexpr size_t kHeadersMax = 16;
  const model::JsonSchema header =
      model::object({{"name", header_name_schema(), model::kRequired}, {"value", model::string(), model::kRequired}});
  return model::object({{"set", model::array(header).items(std::nullopt, kHeadersMax)},
                        {"add", model::array(header).items(std::nullopt, kHeadersMax)}});
}

model::JsonSchema header_match_schema() {
  return model::object({{"type", model::enumeration({"Exact", "Present", "RegularExpression", "Absent", "Prefix"})},
                        {"name", header_name_schema(), model::kRequired},
                        {"value", model::string()}});
}

model::JsonSchema item_schema(model::JsonSchema conf) {
  return model::object({{"targetRef", target_ref_schema(), model::kRequired}, {"default", conf.always()}});
}

void check_header_value(const ConfView& value, Violations& violations) {
  if (value.text().find_first_of(std::string_view("\0\r\n", 3)) != std::string_view::npos) {
    violations.add(value.path(), "must not contain line breaks or NUL");
  }
}

void validate_target_ref(const ConfView& target, std::initializer_list<TargetKind> kinds, Violations& violations) {
  const ConfView kind = target["kind"];
  if (kind.text().empty()) {
    violations.add(kind.path(), "must be defined");
    return;
  }
  const KindRules* rules = find_kind(kind.text());
  if (rules == nullptr || std::find(kinds.begin(), kinds.end(), rules->kind) == kinds.end()) {
    violations.add(kind.path(), "value is not supported");
    return;
  }
  validate_name(*rules, target["name"], violations);
  if (!target["mesh"].text().empty()) {
    violations.add(target["mesh"].path(), "must not be set with kind {}", rules->name);
  }
  const ConfView tags = target["tags"];
  if (rules->has_tags) {
    model::validate_tags(tags.path(), tags_of(tags), {}, violations);
  } else if (!tags.empty()) {
    violations.add(tags.path(), "must not be set with kind {}", rules->name);
  }
}

model::ResourceType target_ref_type(std::string_view name, std::string_view singular, std::string_view plural,
                                    std::string_view display_singular, std::string_view display_plural, const model::JsonSchema& schema,
                                    void (*validate)(const model::Resource&, Violations&)) {
  model::ResourceType type;
  type.name = name;
  type.path = type.kumactl_plural = plural;
  type.kumactl_singular = singular;
  type.display_singular = display_singular;
  type.display_plural = display_plural;
  type.is_policy = type.inspectable = type.is_target_ref = true;
  type.kds = model::KdsDirection::GlobalToZone;
  type.schema = &schema;
  type.validate = validate;
  return type;
}

void check_header_values(const ConfView& set_and_add, Violations& violations) {
  for (const char* list : {"set", "add"}) {
    for (const ConfView& header : set_and_add[list].items()) {
      check_header_value(header["value"], violations);
    }
  }
}

void check_header_match(const ConfView& match, Violations& violations) {
  const std::string_view type = match["type"].text();
  const ConfView value = match["value"];
  if (type == "Prefix" && value.text().empty()) {
    violations.add(value.path(), "must be defined");
  } else if (type == "RegularExpression") {
    if (value.text().empty()) {
      violations.add(value.path(), "must be defined");
    } else if (auto status = model::check_regex(value.text()); !status.ok()) {
      violations.add(value.path(), "{}", message_of(status));
    }
  }
}

absl::Status check_merged(const json::value& conf, const model::JsonSchema& schema,
                          void (*validate)(const ConfView& conf, Violations& violations)) {
  const FieldPath path("default");
  Violations violations;
  schema.check(conf, path, violations);
  if (!violations.empty()) {
    return violations.to_status();
  }
  if (auto normal = schema.normalize(conf); !normal.ok()) {
    return normal.status();
  }
  validate(ConfView(&conf, path), violations);
  return violations.to_status();
}

ConfView spec_view(const model::Resource& resource) { return {&resource.spec, FieldPath("spec")}; }

}  // namespace kuma::policy
