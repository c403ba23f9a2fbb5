#include "policy/meshhttproute/schema.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "base/status.h"
#include "model/regex.h"
#include "policy/target_ref_schema.h"

namespace kuma::policy {
namespace {

using model::array;
using model::enumeration;
using model::kRequired;
using model::object;
using model::string;

model::JsonSchema match() {
  return object({
      {"path", object({{"type", enumeration({"Exact", "PathPrefix", "RegularExpression"}), kRequired},
                       {"value", string().length(1), kRequired}})},
      {"method", enumeration({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})},
      {"queryParams", array(object({{"type", enumeration({"Exact", "RegularExpression"}), kRequired},
                                    {"name", string().length(1), kRequired},
                                    {"value", string(), kRequired}}))},
      {"headers", array(header_match_schema())},
  });
}

model::JsonSchema header_modifier() {
  constexpr size_t kHeadersMax = 16;
  model::JsonSchema schema = header_values_schema();
  schema.members.push_back({"remove", array(string()).items(std::nullopt, kHeadersMax)});
  return schema;
}

model::JsonSchema path_rewrite() {
  return object({{"type", enumeration({"ReplaceFullPath", "ReplacePrefixMatch"}), kRequired},
                 {"replaceFullPath", string()},
                 {"replacePrefixMatch", string()}});
}

model::JsonSchema filter() {
  const model::JsonSchema hostname =
      string().length(1, 253).matching(R"(^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$)");
  model::JsonSchema status = model::int32();
  status.enum_numbers = {301, 302, 303, 307, 308};
  return object({
      {"type",
       enumeration({"RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite", "RequestMirror"}), kRequired},
      {"requestHeaderModifier", header_modifier()},
      {"responseHeaderModifier", header_modifier()},
      {"requestRedirect", object({{"scheme", enumeration({"http", "https"})},
                                  {"hostname", hostname},
                                  {"path", path_rewrite()},
                                  {"port", model::int32().range(1, 65535)},
                                  {"statusCode", status}})},
      {"urlRewrite", object({{"hostname", hostname}, {"path", path_rewrite()}})},
      {"requestMirror", object({{"percentage", model::int_or_string()}, {"backendRef", target_ref_schema(), kRequired}})},
  });
}

const model::JsonSchema& schema() {
  static const model::JsonSchema kRule = object({
      {"matches", array(match()).items(1), kRequired},
      {"default", object({{"filters", array(filter()).keeping_empty()}, {"backendRefs", array(backend_ref_schema()).keeping_empty()}}),
       kRequired},
  });
  static const model::JsonSchema kSchema = object({
      {"targetRef", target_ref_schema().always()},
      {"to", array(object({{"targetRef", target_ref_schema().always()}, {"rules", array(kRule)}}))},
  });
  return kSchema;
}

void validate_path(const ConfView& path, Violations& violations) {
  const std::string_view type = path["type"].text();
  const ConfView value = path["value"];
  if (type == "PathPrefix" && value.text() != "/" && value.text().ends_with('/')) {
    violations.add(value.path(), "does not need a trailing slash because only a `/`-separated prefix or an entire path is matched");
  }
  if ((type == "PathPrefix" || type == "Exact") && !value.text().starts_with('/')) {
    violations.add(value.path(), "must be an absolute path");
  }
}

void validate_match(const ConfView& one, Violations& violations) {
  if (one["path"]) {
    validate_path(one["path"], violations);
  }
  std::set<std::string_view> names;
  for (const ConfView& parameter : one["queryParams"].items()) {
    const ConfView name = parameter["name"];
    if (!names.insert(name.text()).second) {
      violations.add(name.path(), "multiple entries for name {}", name.text());
    }
  }
  for (const ConfView& header : one["headers"].items()) {
    const std::string_view type = header["type"].text();
    if ((type == "Present" || type == "Absent") && header["value"]) {
      violations.add(header["value"].path(), "must not be defined");
    }
  }
}

void validate_header_modifier(const ConfView& modifier, Violations& violations) {
  if (modifier["set"].empty() && modifier["add"].empty() && modifier["remove"].empty()) {
    violations.add(modifier.path(), "must have at least one defined: set, add, remove");
    return;
  }
  std::set<std::string> names;
  const auto check = [&](std::string_view name, const FieldPath& path) {
    if (!names.insert(absl::AsciiStrToLower(std::string(name))).second) {
      violations.add(path, "duplicate header name");
    }
  };
  for (const char* list : {"set", "add"}) {
    for (const ConfView& header : modifier[list].items()) {
      check(header["name"].text(), header["name"].path());
    }
  }
  for (const ConfView& name : modifier["remove"].items()) {
    check(name.text(), name.path().field("name"));
  }
}

// Only what starts with a prefix has one to replace.
void validate_rewrite(const ConfView& path, bool all_prefixes, Violations& violations) {
  if (path["type"].text() == "ReplacePrefixMatch" && !all_prefixes) {
    violations.add(path["replacePrefixMatch"].path(), "can only appear if all matches match a path prefix");
  }
}

void validate_filter(const ConfView& one, bool all_prefixes, Violations& violations) {
  const std::string_view type = one["type"].text();
  const auto section = [&](const char* name) {
    ConfView view = one[name];
    if (!view) {
      violations.add(view.path(), "must be defined");
    }
    return view;
  };
  if (type == "RequestHeaderModifier" || type == "ResponseHeaderModifier") {
    if (const ConfView modifier = section(type == "RequestHeaderModifier" ? "requestHeaderModifier" : "responseHeaderModifier")) {
      validate_header_modifier(modifier, violations);
    }
  } else if (type == "RequestRedirect") {
    validate_rewrite(section("requestRedirect")["path"], all_prefixes, violations);
  } else if (type == "URLRewrite") {
    validate_rewrite(section("urlRewrite")["path"], all_prefixes, violations);
  } else if (const ConfView mirror = section("requestMirror")) {
    validate_target_ref(mirror["backendRef"], {TargetKind::MeshService, TargetKind::MeshServiceSubset}, violations);
  }
}

void validate_rule(const ConfView& rule, Violations& violations) {
  bool all_prefixes = true;
  for (const ConfView& one : rule["matches"].items()) {
    validate_match(one, violations);
    all_prefixes = all_prefixes && one["path"]["type"].text() == "PathPrefix";
  }
  for (const ConfView& one : rule["default"]["filters"].items()) {
    validate_filter(one, all_prefixes, violations);
  }
  for (const ConfView& backend : rule["default"]["backendRefs"].items()) {
    validate_target_ref(backend, {TargetKind::MeshService, TargetKind::MeshServiceSubset}, violations);
  }
}

// What the reference lets in and then can't make a configuration of, or one that Envoy refuses as a whole.

void check_regex(const ConfView& matcher, Violations& violations) {
  if (matcher["type"].text() != "RegularExpression") {
    return;
  }
  if (absl::Status status = model::check_regex(matcher["value"].text()); !status.ok()) {
    violations.add(matcher["value"].path(), "must be a regular expression of RE2: {}", message_of(status));
  }
}

void check_rewrite(const ConfView& path, Violations& violations) {
  const ConfView value = path[path["type"].text() == "ReplaceFullPath" ? "replaceFullPath" : "replacePrefixMatch"];
  if (path && !value) {
    violations.add(value.path(), "must be defined");
  }
}

void check_percentage(const ConfView& percentage, Violations& violations) {
  const auto value = percentage.decimal();
  if (percentage && !value) {
    violations.add(percentage.path(), "string has to be a valid number");
  } else if (value && *value < 0) {
    violations.add(percentage.path(), "has to be in [0.0 - 100.0] range");
  }
}

void check_filters(const ConfView& filters, Violations& violations) {
  bool redirected = false;
  for (const ConfView& filter : filters.items()) {
    const std::string_view type = filter["type"].text();
    const ConfView section = filter[type == "URLRewrite" ? "urlRewrite" : "requestMirror"];
    if (redirected && (type == "URLRewrite" || type == "RequestMirror")) {
      violations.add(section.path(), "must not come after a RequestRedirect, which answers the request");
    }
    redirected = redirected || type == "RequestRedirect";
    if (type == "RequestRedirect") {
      check_rewrite(filter["requestRedirect"]["path"], violations);
    } else if (type == "URLRewrite") {
      check_rewrite(section["path"], violations);
    } else if (type == "RequestMirror") {
      check_percentage(section["percentage"], violations);
    }
  }
}

void check_usable(const ConfView& rule, Violations& violations) {
  for (const ConfView& match : rule["matches"].items()) {
    check_regex(match["path"], violations);
    for (const char* list : {"queryParams", "headers"}) {
      for (const ConfView& matcher : match[list].items()) {
        check_regex(matcher, violations);
      }
    }
  }
  check_filters(rule["default"]["filters"], violations);
}

void validate(const model::Resource& resource, Violations& violations) {
  const ConfView spec = spec_view(resource);
  validate_target_ref(spec["targetRef"], kAnyProxy, violations);
  for (const ConfView& item : spec["to"].items()) {
    validate_target_ref(item["targetRef"], {TargetKind::MeshService}, violations);
    for (const ConfView& rule : item["rules"].items()) {
      validate_rule(rule, violations);
    }
  }
  for (const ConfView& item : violations.empty() ? spec["to"].items() : std::vector<ConfView>()) {
    for (const ConfView& rule : item["rules"].items()) {
      check_usable(rule, violations);
    }
  }
}

json::value conf_of_item(const json::value& item) {
  const json::value* rules = find(item, "rules");
  return json::object{{"Rules", rules == nullptr ? json::value(json::array()) : *rules}};
}

}  // namespace

model::ResourceType mesh_http_route_type() {
  model::ResourceType type =
      target_ref_type("MeshHTTPRoute", "meshhttproute", "meshhttproutes", "Mesh HTTP Route", "Mesh HTTP Routes", schema(), validate);
  type.has_to = true;
  type.conf_of_item = conf_of_item;
  return type;
}

}  // namespace kuma::policy
