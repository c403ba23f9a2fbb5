#include "model/json_schema.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/status.h"
#include "base/text.h"
#include "model/regex.h"

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

// A number as Go's `%g` prints it: from a million on with an exponent.
std::string number_text(double number) {
  const bool exponent = number != 0 && (std::abs(number) >= 1e6 || std::abs(number) < 1e-4);
  char buffer[64];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number, exponent ? std::chars_format::scientific : std::chars_format::fixed);
  return error == std::errc() ? std::string(buffer, end) : "";
}

size_t character_count(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool is_empty(const json::value& value) {
  return (value.is_array() && value.get_array().empty()) || (value.is_object() && value.get_object().empty());
}

template <typename Values, typename Value>
void check_enum(const Values& allowed, const Value& value, const FieldPath& path, Violations& violations) {
  if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
    violations.add(path, "in body should be one of [{}]", fmt::join(allowed, " "));
  }
}

void check_string(const JsonSchema& schema, std::string_view text, const FieldPath& path, Violations& violations) {
  check_enum(schema.enum_values, text, path, violations);
  if (schema.max_length && character_count(text) > *schema.max_length) {
    violations.add(path, "in body should be at most {} chars long", *schema.max_length);
  }
  if (schema.min_length && character_count(text) < *schema.min_length) {
    violations.add(path, "in body should be at least {} chars long", *schema.min_length);
  }
  if (schema.pattern && !regex_finds(*schema.pattern, text)) {
    violations.add(path, "in body should match '{}'", *schema.pattern);
  }
}

void check_number(const JsonSchema& schema, double number, const FieldPath& path, Violations& violations) {
  check_enum(schema.enum_numbers, number, path, violations);
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
    if (value != nullptr) {
      member.schema.check(*value, path.field(member.name), violations);
    } else if (member.required) {
      violations.add(path.field(member.name), "in body is required");
    }
  }
}

void check_array(const JsonSchema& schema, const json::array& array, const FieldPath& path, Violations& violations) {
  if (schema.max_items && array.size() > *schema.max_items) {
    violations.add(path, "in body should have at most {} items", *schema.max_items);
  }
  if (schema.min_items && array.size() < *schema.min_items) {
    violations.add(path, "in body should have at least {} items", *schema.min_items);
  }
  for (size_t i = 0; i < array.size(); ++i) {
    schema.element[0].check(array[i], path.index(i), violations);
  }
}

}  // namespace

void JsonSchema::check(const json::value& value, const FieldPath& path, Violations& violations) const {
  if (!has_kind(kind, value)) {
    if (kind == Kind::IntOrString) {
      violations.add("", fmt::format("\"{}\" must validate at least one schema (anyOf)", path.text()));
      violations.add(path, "in body must be of type integer: \"{}\"", actual_kind(value));
    } else {
      violations.add(path, "in body must be of type {}: \"{}\"", expected_kind(kind), actual_kind(value));
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
      check_array(*this, value.get_array(), path, violations);
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

namespace {

absl::Status unexpected(const FieldPath& path, std::string_view expected, const json::value& value) {
  return absl::InvalidArgumentError(fmt::format("{}{}expected {}, got {}", path.text(), path.text().empty() ? "" : ": ", expected, to_json(value)));
}

absl::StatusOr<json::value> normal_value(const JsonSchema& schema, const json::value& value, const FieldPath& path);

absl::StatusOr<json::value> normal_object(const JsonSchema& schema, const json::value& value, const FieldPath& path) {
  const json::value nothing = json::object();
  json::object out;
  for (const JsonSchema::Member& member : schema.members) {
    const json::value* given = find(value, member.name);
    if (given == nullptr || given->is_null()) {
      if (!member.schema.always_there) {
        continue;
      }
      given = &nothing;
    }
    KUMA_ASSIGN_OR_RETURN(json::value normal, normal_value(member.schema, *given, path.field(member.name)));
    const bool list_or_map = member.schema.kind == JsonSchema::Kind::Array || member.schema.kind == JsonSchema::Kind::Map;
    if (!list_or_map || member.schema.keeps_empty || !is_empty(normal)) {
      out.emplace(member.name, std::move(normal));
    }
  }
  return json::value(std::move(out));
}

absl::StatusOr<json::value> normal_map(const JsonSchema& schema, const json::object& map, const FieldPath& path) {
  std::vector<std::string_view> keys;
  for (const auto& [key, member] : map) {
    keys.emplace_back(key.data(), key.size());
  }
  std::sort(keys.begin(), keys.end());
  json::object out;
  for (const std::string_view key : keys) {
    KUMA_ASSIGN_OR_RETURN(json::value normal, normal_value(schema.element[0], map.at(key), path.key(key)));
    out.emplace(key, std::move(normal));
  }
  return json::value(std::move(out));
}

absl::StatusOr<json::value> normal_integer(const JsonSchema& schema, const json::value& value, const FieldPath& path) {
  json::error_code error;
  const int64_t number = value.to_number<int64_t>(error);
  if (error || number < schema.smallest || number > schema.largest) {
    return unexpected(path, fmt::format("a whole number from {} to {}", schema.smallest, schema.largest), value);
  }
  return json::value(number);
}

absl::StatusOr<json::value> normal_value(const JsonSchema& schema, const json::value& value, const FieldPath& path) {
  if (!has_kind(schema.kind, value)) {
    return unexpected(path, fmt::format("a value of type {}", expected_kind(schema.kind)), value);
  }
  switch (schema.kind) {
    case JsonSchema::Kind::Object:
      return normal_object(schema, value, path);
    case JsonSchema::Kind::Map:
      return normal_map(schema, value.get_object(), path);
    case JsonSchema::Kind::Array: {
      json::array out;
      for (size_t i = 0; i < value.get_array().size(); ++i) {
        KUMA_ASSIGN_OR_RETURN(json::value normal, normal_value(schema.element[0], value.get_array()[i], path.index(i)));
        out.push_back(std::move(normal));
      }
      return json::value(std::move(out));
    }
    case JsonSchema::Kind::Duration: {
      KUMA_ASSIGN_OR_RETURN(const auto duration, parse_go_duration({value.get_string().data(), value.get_string().size()}));
      return json::value(json::string(format_go_duration(duration)));
    }
    case JsonSchema::Kind::Integer:
      return normal_integer(schema, value, path);
    case JsonSchema::Kind::IntOrString:
      return value.is_string() ? absl::StatusOr<json::value>(value) : normal_integer(schema, value, path);
    case JsonSchema::Kind::String:
    case JsonSchema::Kind::Number:
    case JsonSchema::Kind::Boolean:
    case JsonSchema::Kind::Any:
      return value;
  }
  return value;
}

}  // namespace

absl::StatusOr<json::value> JsonSchema::normalize(const json::value& value) const {
  return normal_value(*this, value, FieldPath("spec"));
}

JsonSchema JsonSchema::matching(std::string regex) const {
  JsonSchema copy = *this;
  copy.pattern = std::move(regex);
  return copy;
}

JsonSchema JsonSchema::length(size_t min, std::optional<size_t> max) const {
  JsonSchema copy = *this;
  copy.min_length = min;
  copy.max_length = max;
  return copy;
}

JsonSchema JsonSchema::items(std::optional<size_t> min, std::optional<size_t> max) const {
  JsonSchema copy = *this;
  copy.min_items = min;
  copy.max_items = max;
  return copy;
}

JsonSchema JsonSchema::range(std::optional<double> min, std::optional<double> max) const {
  JsonSchema copy = *this;
  copy.minimum = min;
  copy.maximum = max;
  return copy;
}

JsonSchema JsonSchema::keeping_empty() const {
  JsonSchema copy = *this;
  copy.keeps_empty = true;
  return copy;
}

JsonSchema JsonSchema::always() const {
  JsonSchema copy = *this;
  copy.always_there = true;
  return copy;
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

JsonSchema int32() {
  JsonSchema schema = integer();
  schema.smallest = INT32_MIN;
  schema.largest = INT32_MAX;
  return schema;
}

JsonSchema uint32() {
  JsonSchema schema = integer();
  schema.smallest = 0;
  schema.largest = UINT32_MAX;
  return schema;
}

JsonSchema number() { return of_kind(JsonSchema::Kind::Number); }
JsonSchema boolean() { return of_kind(JsonSchema::Kind::Boolean); }
JsonSchema duration() { return of_kind(JsonSchema::Kind::Duration); }

JsonSchema int_or_string() {
  JsonSchema schema = int32();
  schema.kind = JsonSchema::Kind::IntOrString;
  return schema;
}

JsonSchema any() { return of_kind(JsonSchema::Kind::Any); }

}  // namespace kuma::model
