#include "model/json_schema.h"

#include <algorithm>
#include <cmath>
#include <regex>

#include "base/status.h"
#include "base/text.h"

namespace kuma::model {
namespace {

// How the reference's schema checker names the kind of a value.
std::string_view actual_kind(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "boolean";
    case json::kind::int64:
    case json::kind::uint64:
      return "integer";
    case json::kind::double_:
      return "number";
    case json::kind::string:
      return "string";
    case json::kind::array:
      return "array";
    case json::kind::object:
      return "object";
  }
  return "null";
}

std::string_view expected_kind(JsonSchema::Kind kind) {
  switch (kind) {
    case JsonSchema::Kind::Object:
    case JsonSchema::Kind::Map:
      return "object";
    case JsonSchema::Kind::Array:
      return "array";
    case JsonSchema::Kind::String:
    case JsonSchema::Kind::Duration:
      return "string";
    case JsonSchema::Kind::Integer:
      return "integer";
    case JsonSchema::Kind::Number:
      return "number";
    case JsonSchema::Kind::Boolean:
      return "boolean";
    case JsonSchema::Kind::IntOrString:
    case JsonSchema::Kind::Any:
      return "";
  }
  return "";
}

bool is_whole(const json::value& value) {
  if (const double* number = value.if_double()) {
    return std::floor(*number) == *number;
  }
  return value.is_int64() || value.is_uint64();
}

bool has_kind(JsonSchema::Kind kind, const json::value& value) {
  switch (kind) {
    case JsonSchema::Kind::Object:
    case JsonSchema::Kind::Map:
      return value.is_object();
    case JsonSchema::Kind::Array:
      return value.is_array();
    case JsonSchema::Kind::String:
    case JsonSchema::Kind::Duration:
      return value.is_string();
    case JsonSchema::Kind::Integer:
      return is_whole(value);
    case JsonSchema::Kind::Number:
      return value.is_number();
    case JsonSchema::Kind::Boolean:
      return value.is_bool();
    case JsonSchema::Kind::IntOrString:
      return value.is_string() || is_whole(value);
    case JsonSchema::Kind::Any:
      return true;
  }
  return false;
}

bool matches(const std::string& pattern, std::string_view text) {
  return std::regex_search(text.begin(), text.end(), std::regex(pattern, std::regex::ECMAScript));
}

std::string bracketed(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    out += fmt::format("{}{}", out.empty() ? "" : " ", word);
  }
  return fmt::format("[{}]", out);
}

std::string number_text(double number) { return to_json(json::value(number)); }

bool is_empty(const json::value& value) {
  return (value.is_array() && value.get_array().empty()) || (value.is_object() && value.get_object().empty());
}

void check_string(const JsonSchema& schema, std::string_view text, const FieldPath& path, Violations& violations) {
  if (!schema.enum_values.empty() &&
      std::find(schema.enum_values.begin(), schema.enum_values.end(), text) == schema.enum_values.end()) {
    violations.add(path, "in body should be one of {}", bracketed(schema.enum_values));
  }
  if (schema.max_length && text.size() > *schema.max_length) {
    violations.add(path, "in body should be at most {} chars long", *schema.max_length);
  }
  if (schema.min_length && text.size() < *schema.min_length) {
    violations.add(path, "in body should be at least {} chars long", *schema.min_length);
  }
  if (schema.pattern && !matches(*schema.pattern, text)) {
    violations.add(path, "in body should match '{}'", *schema.pattern);
  }
}

void check_number(const JsonSchema& schema, double number, const FieldPath& path, Violations& violations) {
  if (schema.maximum && number > *schema.maximum) {
    violations.add(path, "in body should be less than or equal to {}", number_text(*schema.maximum));
  }
  if (schema.minimum && number < *schema.minimum) {
    violations.add(path, "in body should be greater than or equal to {}", number_text(*schema.minimum));
  }
}

void check_object(const JsonSchema& schema, const json::object& object, const FieldPath& path, Violations& violations) {
  for (const JsonSchema::Member& member : schema.members) {
    const json::value* value = object.if_contains(member.name);
    if (value != nullptr && !value->is_null()) {
      member.schema.check(*value, path.field(member.name), violations);
    } else if (member.required) {
      violations.add(path.field(member.name), "in body is required");
    }
  }
}

}  // namespace

void JsonSchema::check(const json::value& value, const FieldPath& path, Violations& violations) const {
  if (!has_kind(kind, value)) {
    if (kind == Kind::IntOrString) {
      violations.add(path, "in body must be of type integer,string: \"{}\"", actual_kind(value));
    } else {
      violations.add(path, "in body must be of type {}: \"{}\"", expected_kind(kind),
                     value.is_int64() || value.is_uint64() ? "number" : actual_kind(value));
    }
    return;
  }
  switch (kind) {
    case Kind::Object:
      check_object(*this, value.get_object(), path, violations);
      break;
    case Kind::Map:
      for (const auto& [key, member] : value.get_object()) {
        element[0].check(member, path.field({key.data(), key.size()}), violations);
      }
      break;
    case Kind::Array:
      if (max_items && value.get_array().size() > *max_items) {
        violations.add(path, "in body should have at most {} items", *max_items);
      }
      if (min_items && value.get_array().size() < *min_items) {
        violations.add(path, "in body should have at least {} items", *min_items);
      }
      for (size_t i = 0; i < value.get_array().size(); ++i) {
        element[0].check(value.get_array()[i], path.index(i), violations);
      }
      break;
    case Kind::String:
    case Kind::Duration:
      check_string(*this, {value.get_string().data(), value.get_string().size()}, path, violations);
      break;
    case Kind::Integer:
    case Kind::Number:
      check_number(*this, value.to_number<double>(), path, violations);
      break;
    case Kind::Boolean:
    case Kind::IntOrString:
    case Kind::Any:
      break;
  }
}

absl::StatusOr<json::value> JsonSchema::normalize(const json::value& value) const {
  switch (kind) {
    case Kind::Object: {
      json::object out;
      for (const Member& member : members) {
        const json::value* given = find(value, member.name);
        if (given == nullptr || given->is_null()) {
          continue;
        }
        KUMA_ASSIGN_OR_RETURN(json::value normal, member.schema.normalize(*given));
        const bool list_or_map = member.schema.kind == Kind::Array || member.schema.kind == Kind::Map;
        if (list_or_map && !member.schema.keeps_empty && is_empty(normal)) {
          continue;
        }
        out.emplace(member.name, std::move(normal));
      }
      return json::value(std::move(out));
    }
    case Kind::Map: {
      json::object out;
      const json::value ordered = kuma::sorted(value.is_object() ? value : json::value(json::object()));
      for (const auto& [key, member] : ordered.get_object()) {
        KUMA_ASSIGN_OR_RETURN(json::value normal, element[0].normalize(member));
        out.emplace(key, std::move(normal));
      }
      return json::value(std::move(out));
    }
    case Kind::Array: {
      json::array out;
      if (const json::array* given = value.if_array()) {
        for (const json::value& item : *given) {
          KUMA_ASSIGN_OR_RETURN(json::value normal, element[0].normalize(item));
          out.push_back(std::move(normal));
        }
      }
      return json::value(std::move(out));
    }
    case Kind::Duration: {
      if (!value.is_string()) {
        return absl::InvalidArgumentError(fmt::format("expected a duration such as \"1m30s\", got {}", to_json(value)));
      }
      KUMA_ASSIGN_OR_RETURN(const auto duration, parse_go_duration({value.get_string().data(), value.get_string().size()}));
      return json::value(json::string(format_go_duration(duration)));
    }
    case Kind::Integer: {
      if (const double* number = value.if_double()) {
        return json::value(static_cast<int64_t>(*number));
      }
      return value;
    }
    case Kind::String:
    case Kind::Number:
    case Kind::Boolean:
    case Kind::IntOrString:
    case Kind::Any:
      return value;
  }
  return value;
}

namespace {

JsonSchema of_kind(JsonSchema::Kind kind) {
  JsonSchema schema;
  schema.kind = kind;
  return schema;
}

}  // namespace

JsonSchema object(std::vector<JsonSchema::Member> members) {
  JsonSchema schema = of_kind(JsonSchema::Kind::Object);
  schema.members = std::move(members);
  return schema;
}

JsonSchema map_of(JsonSchema element) {
  JsonSchema schema = of_kind(JsonSchema::Kind::Map);
  schema.element.push_back(std::move(element));
  return schema;
}

JsonSchema array(JsonSchema element) {
  JsonSchema schema = of_kind(JsonSchema::Kind::Array);
  schema.element.push_back(std::move(element));
  return schema;
}

JsonSchema string() { return of_kind(JsonSchema::Kind::String); }

JsonSchema enumeration(std::vector<std::string> values) {
  JsonSchema schema = of_kind(JsonSchema::Kind::String);
  schema.enum_values = std::move(values);
  return schema;
}

JsonSchema integer() { return of_kind(JsonSchema::Kind::Integer); }
JsonSchema number() { return of_kind(JsonSchema::Kind::Number); }
JsonSchema boolean() { return of_kind(JsonSchema::Kind::Boolean); }
JsonSchema duration() { return of_kind(JsonSchema::Kind::Duration); }
JsonSchema int_or_string() { return of_kind(JsonSchema::Kind::IntOrString); }
JsonSchema any() { return of_kind(JsonSchema::Kind::Any); }

}  // namespace kuma::model
