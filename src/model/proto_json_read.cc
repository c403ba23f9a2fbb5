#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/status.h"
#include "base/text.h"
#include "base/violations.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "model/proto_json.h"
#include "model/well_known.h"

namespace kuma::model {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr size_t kDepthMax = 2 * kNestingMax;  // what parsers let through, and room for messages within Any

std::string kind_text(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return fmt::format("the boolean {}", to_json(value));
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      return fmt::format("the number {}", to_json(value));
    case json::kind::string: {
      std::string text = to_json(value);
      return fmt::format("the string {}", text.size() > 80 ? text.substr(0, 77) + "…\"" : text);
    }
    case json::kind::array:
      return "a list";
    case json::kind::object:
      return "an object";
  }
  return "";
}

constexpr std::string_view kReferenceTextUrl = "kuma/reference-text";

// Says where and what would be right; `reference` is how the decoder of the reference words it, if it is known.
absl::Status wrong(const FieldPath& path, std::string_view expected, const json::value& value, std::string reference = {}) {
  absl::Status status = absl::InvalidArgumentError(
      fmt::format("{}{}expected {}, got {}", path.text(), path.text().empty() ? "" : ": ", expected, kind_text(value)));
  if (!reference.empty()) {
    status.SetPayload(to_absl(kReferenceTextUrl), absl::Cord(reference));
  }
  return status;
}

// How Go's decoder complains about a value that does not fit a Go type.
std::string no_unmarshal(const json::value& value, std::string_view go_type) {
  const char* kind = value.is_null()     ? "null"
                     : value.is_bool()   ? "bool"
                     : value.is_string() ? "string"
                     : value.is_array()  ? "array"
                     : value.is_object() ? "object"
                                         : "number";
  return fmt::format("json: cannot unmarshal {} into Go value of type {}", kind, go_type);
}

absl::Status wrong_kind(const FieldPath& path, std::string_view expected, const json::value& value, std::string_view go_type) {
  return wrong(path, expected, value, no_unmarshal(value, go_type));
}

absl::Status read_message(const json::value& value, Message& message, const FieldPath& path, size_t depth);

template <typename T>
constexpr std::string_view go_name() {
  if constexpr (std::is_same_v<T, int32_t>) {
    return "int32";
  } else if constexpr (std::is_same_v<T, uint32_t>) {
    return "uint32";
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return "int64";
  } else {
    return "uint64";
  }
}

// A whole number within T, from a number or its text.
template <typename T>
absl::StatusOr<T> read_integer(const json::value& value, const FieldPath& path) {
  const auto failed = [&](std::string reference) {
    return wrong(path, fmt::format("a whole number from {} to {}", std::numeric_limits<T>::min(), std::numeric_limits<T>::max()), value,
                 std::move(reference));
  };
  if (const json::string* text = value.if_string()) {
    T number{};
    const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (text->empty()) {
      return failed("unexpected end of JSON input");
    }
    if (failure != std::errc() || end != text->data() + text->size()) {
      return failed(fmt::format("invalid character '{}' looking for beginning of value", (*text)[0]));
    }
    return number;
  }
  if (!value.is_number()) {
    return failed(no_unmarshal(value, go_name<T>()));
  }
  json::error_code error;
  const T number = value.to_number<T>(error);
  if (error) {
    return failed(fmt::format("json: cannot unmarshal number {} into Go value of type {}", to_json(value), go_name<T>()));
  }
  return number;
}

absl::StatusOr<double> read_double(const json::value& value, const FieldPath& path) {
  if (value.is_number()) {
    return value.to_number<double>();
  }
  if (const json::string* text = value.if_string()) {
    if (*text == "NaN") {
      return std::numeric_limits<double>::quiet_NaN();
    }
    if (*text == "Infinity" || *text == "-Infinity") {
      return (*text)[0] == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    }
    double number = 0;
    const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (failure == std::errc() && end == text->data() + text->size()) {
      return number;
    }
  }
  return wrong_kind(path, "a number", value, "float64");
}

absl::StatusOr<int> read_enum(const json::value& value, const FieldDescriptor* field, const FieldPath& path) {
  if (const json::string* text = value.if_string()) {
    if (const EnumValueDescriptor* found = field->enum_type()->FindValueByName(std::string(*text))) {
      return found->number();
    }
  } else if (value.is_number()) {
    if (const auto number = read_integer<int32_t>(value, path); number.ok()) {
      return *number;
    }
  }
  std::string names;
  for (int i = 0; i < field->enum_type()->value_count(); ++i) {
    names += fmt::format("{}{}", i == 0 ? "" : ", ", field->enum_type()->value(i)->name());
  }
  return wrong(path, fmt::format("one of {}", names), value,
               fmt::format("unknown value {} for enum {}", to_json(json::value(json::string(to_json(value)))), field->enum_type()->full_name()));
}

// Where the text stops being base64 of the standard alphabet with padding, in the reckoning of Go's decoder: the first
// wrong character, or the start of the last group when its padding is missing. npos: nowhere.
size_t bad_base64_at(std::string_view text) {
  size_t at = 0;
  while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || text[at] == '+' || text[at] == '/')) {
    ++at;
  }
  const size_t padding = text.size() - at;
  const bool only_padding = text.find_first_not_of('=', at) == std::string_view::npos;
  if (only_padding && text.size() % 4 == 0 && padding <= 2) {
    return std::string_view::npos;
  }
  return at == text.size() ? at - at % 4 : at;
}

// Sets a singular field, or adds to a repeated one.
absl::Status read_field_value(const json::value& value, Message& message, const FieldDescriptor* field, const FieldPath& path, size_t depth) {
  const Reflection& reflection = *message.GetReflection();
  const auto store = [&](auto result, auto set, auto add) -> absl::Status {
    if (!result.ok()) {
      return result.status();
    }
    if (field->is_repeated()) {
      (reflection.*add)(&message, field, *std::move(result));
    } else {
      (reflection.*set)(&message, field, *std::move(result));
    }
    return absl::OkStatus();
  };
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return store(read_integer<int32_t>(value, path), &Reflection::SetInt32, &Reflection::AddInt32);
    case FieldDescriptor::CPPTYPE_UINT32:
      return store(read_integer<uint32_t>(value, path), &Reflection::SetUInt32, &Reflection::AddUInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return store(read_integer<int64_t>(value, path), &Reflection::SetInt64, &Reflection::AddInt64);
    case FieldDescriptor::CPPTYPE_UINT64:
      return store(read_integer<uint64_t>(value, path), &Reflection::SetUInt64, &Reflection::AddUInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return store(read_double(value, path), &Reflection::SetDouble, &Reflection::AddDouble);
    case FieldDescriptor::CPPTYPE_FLOAT: {
      KUMA_ASSIGN_OR_RETURN(const double number, read_double(value, path));
      return store(absl::StatusOr<float>(static_cast<float>(number)), &Reflection::SetFloat, &Reflection::AddFloat);
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      if (!value.is_bool()) {
        return wrong_kind(path, "true or false", value, "bool");
      }
      return store(absl::StatusOr<bool>(value.get_bool()), &Reflection::SetBool, &Reflection::AddBool);
    case FieldDescriptor::CPPTYPE_ENUM:
      return store(read_enum(value, field, path), &Reflection::SetEnumValue, &Reflection::AddEnumValue);
    case FieldDescriptor::CPPTYPE_STRING: {
      if (!value.is_string()) {
        return wrong_kind(path, "a string", value, "string");
      }
      std::string text(value.get_string());
      if (field->type() == FieldDescriptor::TYPE_BYTES) {
        const size_t bad = bad_base64_at(text);
        auto bytes = base64_decode(text);
        if (bad != std::string::npos || !bytes) {
          return wrong(path, "base64", value, fmt::format("illegal base64 data at input byte {}", std::min(bad, text.size())));
        }
        text = *std::move(bytes);
      }
      return store(absl::StatusOr<std::string>(std::move(text)), &Reflection::SetString, &Reflection::AddString);
    }
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      Message* inner = field->is_repeated() ? reflection.AddMessage(&message, field) : reflection.MutableMessage(&message, field);
      return read_message(value, *inner, path, depth + 1);
    }
  }
  return absl::OkStatus();
}

absl::Status read_map(const json::value& value, Message& message, const FieldDescriptor* field, const FieldPath& path, size_t depth) {
  const json::object* object = value.if_object();
  if (object == nullptr) {
    return wrong_kind(path, "an object", value, "map[string]json.RawMessage");
  }
  for (const auto& [key, member] : *object) {
    const std::string_view name(key.data(), key.size());
    const FieldPath inner = path.key(name);
    Message* entry = message.GetReflection()->AddMessage(&message, field);
    const FieldDescriptor* key_field = field->message_type()->map_key();
    // Keys that are not strings are written as text.
    json::value key_value = json::string(key);
    if (key_field->cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
      key_value = name == "true";
    }
    KUMA_RETURN_IF_ERROR(read_field_value(key_value, *entry, key_field, inner, depth));
    if (member.is_null()) {
      continue;  // the key with the default value
    }
    KUMA_RETURN_IF_ERROR(read_field_value(member, *entry, field->message_type()->map_value(), inner, depth));
  }
  return absl::OkStatus();
}

const FieldDescriptor* find_field(const Descriptor& descriptor, const std::string& name) {
  if (const FieldDescriptor* field = descriptor.FindFieldByName(name)) {
    return field;
  }
  for (int i = 0; i < descriptor.field_count(); ++i) {
    if (descriptor.field(i)->json_name() == name) {
      return descriptor.field(i);
    }
  }
  return nullptr;
}

absl::Status read_fields(const json::value& value, Message& message, const FieldPath& path, size_t depth) {
  const json::object* object = value.if_object();
  if (object == nullptr) {
    return wrong_kind(path, "an object", value, "map[string]json.RawMessage");
  }
  for (const auto& [key, member] : *object) {
    const FieldDescriptor* field = find_field(*message.GetDescriptor(), std::string(key));
    if (field == nullptr) {
      continue;  // unknown members are ignored, as the reference does
    }
    const bool null_is_value = !field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
                               well_known(*field->message_type()) == WellKnown::Value;
    if (member.is_null() && !null_is_value) {
      continue;
    }
    const FieldPath inner = path.field({key.data(), key.size()});
    if (field->is_map()) {
      KUMA_RETURN_IF_ERROR(read_map(member, message, field, inner, depth));
    } else if (field->is_repeated()) {
      const json::array* array = member.if_array();
      if (array == nullptr) {
        return wrong_kind(inner, "a list", member, "[]json.RawMessage");
      }
      for (size_t i = 0; i < array->size(); ++i) {
        KUMA_RETURN_IF_ERROR(read_field_value((*array)[i], message, field, inner.index(i), depth));
      }
    } else {
      KUMA_RETURN_IF_ERROR(read_field_value(member, message, field, inner, depth));
    }
  }
  return absl::OkStatus();
}

// False when it is nested too deeply.
bool read_value(const json::value& value, google::protobuf::Value& out, size_t depth) {
  if (depth > kDepthMax) {
    return false;
  }
  switch (value.kind()) {
    case json::kind::null:
      out.set_null_value(google::protobuf::NULL_VALUE);
      return true;
    case json::kind::bool_:
      out.set_bool_value(value.get_bool());
      return true;
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      out.set_number_value(value.to_number<double>());
      return true;
    case json::kind::string:
      out.set_string_value(std::string(value.get_string()));
      return true;
    case json::kind::array:
      out.mutable_list_value();
      return std::all_of(value.get_array().begin(), value.get_array().end(), [&](const json::value& element) {
        return read_value(element, *out.mutable_list_value()->add_values(), depth + 1);
      });
    case json::kind::object:
      out.mutable_struct_value();
      return std::all_of(value.get_object().begin(), value.get_object().end(), [&](const auto& member) {
        return read_value(member.value(), (*out.mutable_struct_value()->mutable_fields())[std::string(member.key())], depth + 1);
      });
  }
  return true;
}

absl::Status too_deep(const FieldPath& path) {
  return absl::InvalidArgumentError(fmt::format("{}: nested deeper than {} levels", path.text(), kDepthMax));
}

absl::Status read_duration(const json::value& value, google::protobuf::Duration& out, const FieldPath& path) {
  constexpr std::string_view kExpected = "a duration such as \"1.5s\"";
  if (!value.is_string()) {
    return wrong_kind(path, kExpected, value, "string");
  }
  // Any form that Go takes, as old clients write `1h30m`.
  const std::string_view text(value.get_string().data(), value.get_string().size());
  const auto duration = parse_go_duration(text);
  if (duration.ok()) {
    out.set_seconds(duration->count() / 1'000'000'000);
    out.set_nanos(static_cast<int32_t>(duration->count() % 1'000'000'000));
    return absl::OkStatus();
  }
  return wrong(path, kExpected, value, fmt::format("bad Duration: {}", message_of(duration.status())));
}

absl::Status read_timestamp(const json::value& value, google::protobuf::Timestamp& out, const FieldPath& path) {
  constexpr std::string_view kExpected = "a time such as \"2026-01-02T15:04:05Z\"";
  if (!value.is_string()) {
    return wrong_kind(path, kExpected, value, "string");
  }
  const auto time = parse_rfc3339({value.get_string().data(), value.get_string().size()});
  if (!time.ok()) {
    return wrong(path, kExpected, value);
  }
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*time);
  out.set_seconds(seconds.time_since_epoch().count());
  out.set_nanos(static_cast<int32_t>((*time - seconds).count()));
  return absl::OkStatus();
}

absl::Status read_any(const json::value& value, google::protobuf::Any& any, const FieldPath& path, size_t depth) {
  const json::value* type = find(value, "@type");
  if (type == nullptr || !type->is_string()) {
    return wrong(path, "an object with \"@type\"", value);
  }
  const std::string url(type->get_string());
  const std::string name = url.substr(url.rfind('/') + 1);
  const Descriptor* descriptor = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (descriptor == nullptr) {
    return absl::InvalidArgumentError(fmt::format("{}: unknown message type \"{}\"", path.field("@type").text(), name));
  }
  const std::unique_ptr<Message> inner(google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
  if (well_known(*descriptor) != WellKnown::None) {
    const json::value* bare = find(value, "value");
    KUMA_RETURN_IF_ERROR(read_message(bare == nullptr ? json::value(nullptr) : *bare, *inner, path, depth + 1));
  } else {
    KUMA_RETURN_IF_ERROR(read_message(value, *inner, path, depth + 1));
  }
  any.set_type_url(url);
  any.set_value(inner->SerializeAsString());
  return absl::OkStatus();
}

absl::Status read_message(const json::value& value, Message& message, const FieldPath& path, size_t depth) {
  if (depth > kDepthMax) {
    return too_deep(path);
  }
  switch (well_known(*message.GetDescriptor())) {
    case WellKnown::None:
      return read_fields(value, message, path, depth);
    case WellKnown::Duration:
      return read_duration(value, static_cast<google::protobuf::Duration&>(message), path);
    case WellKnown::Timestamp:
      return read_timestamp(value, static_cast<google::protobuf::Timestamp&>(message), path);
    case WellKnown::Wrapper:
      return read_field_value(value, message, message.GetDescriptor()->field(0), path, depth);
    case WellKnown::Struct: {
      if (!value.is_object()) {
        return wrong_kind(path, "an object", value, "map[string]json.RawMessage");
      }
      auto& fields = *static_cast<google::protobuf::Struct&>(message).mutable_fields();
      for (const auto& [key, member] : value.get_object()) {
        if (!read_value(member, fields[std::string(key)], depth)) {
          return too_deep(path);
        }
      }
      return absl::OkStatus();
    }
    case WellKnown::Value:
      return read_value(value, static_cast<google::protobuf::Value&>(message), depth) ? absl::OkStatus() : too_deep(path);
    case WellKnown::ListValue:
      if (!value.is_array()) {
        return wrong_kind(path, "a list", value, "[]json.RawMessage");
      }
      for (const json::value& element : value.get_array()) {
        if (!read_value(element, *static_cast<google::protobuf::ListValue&>(message).add_values(), depth)) {
          return too_deep(path);
        }
      }
      return absl::OkStatus();
    case WellKnown::Any:
      return read_any(value, static_cast<google::protobuf::Any&>(message), path, depth);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status from_json_value(const json::value& value, Message& message) {
  message.Clear();
  return read_message(value, message, FieldPath(), 0);
}

std::string reference_text_of(const absl::Status& status) {
  const auto text = status.GetPayload(to_absl(kReferenceTextUrl));
  return text ? std::string(*text) : std::string(message_of(status));
}

}  // namespace kuma::model
