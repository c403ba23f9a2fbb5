#include "model/proto_json.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "base/violations.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/wrappers.pb.h"

namespace kuma::model {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using std::chrono::nanoseconds;

// Messages that JSON shows in a form of their own.
enum class WellKnown { None, Duration, Timestamp, Wrapper, Struct, Value, ListValue, Any };

WellKnown well_known(const Descriptor& descriptor) {
  switch (descriptor.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_DURATION:
      return WellKnown::Duration;
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return WellKnown::Timestamp;
    case Descriptor::WELLKNOWNTYPE_STRUCT:
      return WellKnown::Struct;
    case Descriptor::WELLKNOWNTYPE_VALUE:
      return WellKnown::Value;
    case Descriptor::WELLKNOWNTYPE_LISTVALUE:
      return WellKnown::ListValue;
    case Descriptor::WELLKNOWNTYPE_ANY:
      return WellKnown::Any;
    case Descriptor::WELLKNOWNTYPE_DOUBLEVALUE:
    case Descriptor::WELLKNOWNTYPE_FLOATVALUE:
    case Descriptor::WELLKNOWNTYPE_INT64VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT64VALUE:
    case Descriptor::WELLKNOWNTYPE_INT32VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT32VALUE:
    case Descriptor::WELLKNOWNTYPE_STRINGVALUE:
    case Descriptor::WELLKNOWNTYPE_BYTESVALUE:
    case Descriptor::WELLKNOWNTYPE_BOOLVALUE:
      return WellKnown::Wrapper;
    default:
      return WellKnown::None;
  }
}

// ------------------------------------------------------------------------------------------------ printing

json::value print_message(const Message& message);

json::value print_value(const google::protobuf::Value& value);

json::value print_struct(const google::protobuf::Struct& value) {
  std::map<std::string_view, const google::protobuf::Value*> members;
  for (const auto& [key, member] : value.fields()) {
    members.emplace(key, &member);
  }
  json::object object;
  for (const auto& [key, member] : members) {
    object.emplace(key, print_value(*member));
  }
  return object;
}

// Whole numbers print without a fraction; JSON has one kind of number, but users wrote `5670`.
json::value print_number(double number) {
  if (std::isnan(number)) {
    return "NaN";
  }
  if (std::isinf(number)) {
    return number > 0 ? "Infinity" : "-Infinity";
  }
  if (std::floor(number) == number && std::abs(number) < 9e15) {
    return static_cast<int64_t>(number);
  }
  return number;
}

json::value print_value(const google::protobuf::Value& value) {
  switch (value.kind_case()) {
    case google::protobuf::Value::kNumberValue:
      return print_number(value.number_value());
    case google::protobuf::Value::kStringValue:
      return json::value(json::string(value.string_value()));
    case google::protobuf::Value::kBoolValue:
      return value.bool_value();
    case google::protobuf::Value::kStructValue:
      return print_struct(value.struct_value());
    case google::protobuf::Value::kListValue: {
      json::array array;
      for (const auto& element : value.list_value().values()) {
        array.push_back(print_value(element));
      }
      return array;
    }
    case google::protobuf::Value::kNullValue:
    case google::protobuf::Value::KIND_NOT_SET:
      return nullptr;
  }
  return nullptr;
}

// The shortest decimal text that is read back as the same float, so that 0.1f prints as 0.1.
json::value print_float(float number) {
  double shortest = 0;
  const std::string text = fmt::format("{}", number);
  std::from_chars(text.data(), text.data() + text.size(), shortest);
  return std::isfinite(number) ? print_number(shortest) : print_number(static_cast<double>(number));
}

json::value print_enum(const EnumValueDescriptor* value, int number) {
  return value == nullptr || value->number() != number ? json::value(number) : json::value(json::string(value->name()));
}

// One value of a field: the singular one, or element `index` of a repeated one.
json::value print_field_value(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection& reflection = *message.GetReflection();
  const bool repeated = field->is_repeated();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return repeated ? reflection.GetRepeatedInt32(message, field, index) : reflection.GetInt32(message, field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return repeated ? reflection.GetRepeatedUInt32(message, field, index) : reflection.GetUInt32(message, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return json::value(json::string(std::to_string(repeated ? reflection.GetRepeatedInt64(message, field, index) : reflection.GetInt64(message, field))));
    case FieldDescriptor::CPPTYPE_UINT64:
      return json::value(json::string(std::to_string(repeated ? reflection.GetRepeatedUInt64(message, field, index) : reflection.GetUInt64(message, field))));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return print_number(repeated ? reflection.GetRepeatedDouble(message, field, index) : reflection.GetDouble(message, field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return print_float(repeated ? reflection.GetRepeatedFloat(message, field, index) : reflection.GetFloat(message, field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return repeated ? reflection.GetRepeatedBool(message, field, index) : reflection.GetBool(message, field);
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = repeated ? reflection.GetRepeatedEnumValue(message, field, index) : reflection.GetEnumValue(message, field);
      return print_enum(field->enum_type()->FindValueByNumber(number), number);
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      const std::string& text = repeated ? reflection.GetRepeatedStringReference(message, field, index, &scratch)
                                         : reflection.GetStringReference(message, field, &scratch);
      return json::value(json::string(field->type() == FieldDescriptor::TYPE_BYTES ? base64_encode(text) : text));
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return print_message(repeated ? reflection.GetRepeatedMessage(message, field, index) : reflection.GetMessage(message, field));
  }
  return nullptr;
}

// A map's key as JSON's text.
std::string key_text(const json::value& key) {
  return key.is_string() ? std::string(key.get_string()) : to_json(key);
}

json::object print_map(const Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  std::map<std::string, json::value> entries;
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, field, i);
    entries.insert_or_assign(key_text(print_field_value(entry, field->message_type()->map_key(), 0)),
                             print_field_value(entry, field->message_type()->map_value(), 0));
  }
  json::object object;
  for (auto& [key, value] : entries) {
    object.emplace(key, std::move(value));
  }
  return object;
}

json::object print_fields(const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  json::object object;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->is_map()) {
      if (reflection.FieldSize(message, field) > 0) {
        object.emplace(field->json_name(), print_map(message, field));
      }
    } else if (field->is_repeated()) {
      const int count = reflection.FieldSize(message, field);
      if (count > 0) {
        json::array array;
        for (int k = 0; k < count; ++k) {
          array.push_back(print_field_value(message, field, k));
        }
        object.emplace(field->json_name(), std::move(array));
      }
    } else if (reflection.HasField(message, field)) {
      object.emplace(field->json_name(), print_field_value(message, field, 0));
    }
  }
  return object;
}

json::value print_any(const google::protobuf::Any& any) {
  json::object object;
  if (any.type_url().empty()) {
    return object;
  }
  object["@type"] = any.type_url();
  const std::string name = any.type_url().substr(any.type_url().rfind('/') + 1);
  const Descriptor* descriptor = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (descriptor == nullptr) {
    object["value"] = base64_encode(any.value());
    return object;
  }
  const std::unique_ptr<Message> inner(google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
  if (!inner->ParseFromString(any.value())) {
    object["value"] = base64_encode(any.value());
    return object;
  }
  json::value printed = print_message(*inner);
  if (well_known(*descriptor) != WellKnown::None) {
    object["value"] = std::move(printed);
    return object;
  }
  for (auto& entry : printed.get_object()) {
    object.emplace(entry.key(), std::move(entry.value()));
  }
  return object;
}

json::value print_message(const Message& message) {
  switch (well_known(*message.GetDescriptor())) {
    case WellKnown::None:
      return print_fields(message);
    case WellKnown::Duration: {
      const auto& duration = static_cast<const google::protobuf::Duration&>(message);
      return json::value(json::string(format_proto_duration(std::chrono::seconds(duration.seconds()) + nanoseconds(duration.nanos()))));
    }
    case WellKnown::Timestamp: {
      const auto& time = static_cast<const google::protobuf::Timestamp&>(message);
      return json::value(json::string(format_proto_timestamp(WallTime(std::chrono::seconds(time.seconds()) + nanoseconds(time.nanos())))));
    }
    case WellKnown::Wrapper:
      return print_field_value(message, message.GetDescriptor()->field(0), 0);
    case WellKnown::Struct:
      return print_struct(static_cast<const google::protobuf::Struct&>(message));
    case WellKnown::Value:
      return print_value(static_cast<const google::protobuf::Value&>(message));
    case WellKnown::ListValue: {
      json::array array;
      for (const auto& element : static_cast<const google::protobuf::ListValue&>(message).values()) {
        array.push_back(print_value(element));
      }
      return array;
    }
    case WellKnown::Any:
      return print_any(static_cast<const google::protobuf::Any&>(message));
  }
  return nullptr;
}

// ------------------------------------------------------------------------------------------------ reading

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

absl::Status wrong(const FieldPath& path, std::string_view expected, const json::value& value) {
  return absl::InvalidArgumentError(fmt::format("{}{}expected {}, got {}", path.text(), path.text().empty() ? "" : ": ", expected, kind_text(value)));
}

absl::Status read_message(const json::value& value, Message& message, const FieldPath& path, size_t depth);

// A whole number within T, from a number or its text.
template <typename T>
absl::StatusOr<T> read_integer(const json::value& value, const FieldPath& path) {
  const auto expected = [&] {
    return wrong(path, fmt::format("a whole number from {} to {}", std::numeric_limits<T>::min(), std::numeric_limits<T>::max()), value);
  };
  if (const json::string* text = value.if_string()) {
    T number{};
    const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (failure != std::errc() || end != text->data() + text->size()) {
      return expected();
    }
    return number;
  }
  if (!value.is_number()) {
    return expected();
  }
  json::error_code error;
  const T number = value.to_number<T>(error);
  if (error) {
    return expected();
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
  return wrong(path, "a number", value);
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
  return wrong(path, fmt::format("one of {}", names), value);
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
        return wrong(path, "true or false", value);
      }
      return store(absl::StatusOr<bool>(value.get_bool()), &Reflection::SetBool, &Reflection::AddBool);
    case FieldDescriptor::CPPTYPE_ENUM:
      return store(read_enum(value, field, path), &Reflection::SetEnumValue, &Reflection::AddEnumValue);
    case FieldDescriptor::CPPTYPE_STRING: {
      if (!value.is_string()) {
        return wrong(path, "a string", value);
      }
      std::string text(value.get_string());
      if (field->type() == FieldDescriptor::TYPE_BYTES) {
        auto bytes = base64_decode(text);
        if (!bytes) {
          return wrong(path, "base64", value);
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
    return wrong(path, "an object", value);
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
    if (member.is_null() && field->message_type()->map_value()->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      return wrong(inner, "a value", member);
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
    return wrong(path, "an object", value);
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
        return wrong(inner, "a list", member);
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

void read_value(const json::value& value, google::protobuf::Value& out) {
  switch (value.kind()) {
    case json::kind::null:
      out.set_null_value(google::protobuf::NULL_VALUE);
      break;
    case json::kind::bool_:
      out.set_bool_value(value.get_bool());
      break;
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      out.set_number_value(value.to_number<double>());
      break;
    case json::kind::string:
      out.set_string_value(std::string(value.get_string()));
      break;
    case json::kind::array:
      out.mutable_list_value();
      for (const json::value& element : value.get_array()) {
        read_value(element, *out.mutable_list_value()->add_values());
      }
      break;
    case json::kind::object:
      out.mutable_struct_value();
      for (const auto& [key, member] : value.get_object()) {
        read_value(member, (*out.mutable_struct_value()->mutable_fields())[std::string(key)]);
      }
      break;
  }
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
  if (depth > 2 * kNestingMax) {
    return absl::InvalidArgumentError(fmt::format("{}: nested deeper than {} levels", path.text(), kNestingMax));
  }
  switch (well_known(*message.GetDescriptor())) {
    case WellKnown::None:
      return read_fields(value, message, path, depth);
    case WellKnown::Duration: {
      if (!value.is_string()) {
        return wrong(path, "a duration such as \"1.5s\"", value);
      }
      const auto duration = parse_proto_duration({value.get_string().data(), value.get_string().size()});
      if (!duration.ok()) {
        return wrong(path, "a duration such as \"1.5s\"", value);
      }
      auto& out = static_cast<google::protobuf::Duration&>(message);
      out.set_seconds(duration->count() / 1'000'000'000);
      out.set_nanos(static_cast<int32_t>(duration->count() % 1'000'000'000));
      return absl::OkStatus();
    }
    case WellKnown::Timestamp: {
      if (!value.is_string()) {
        return wrong(path, "a time such as \"2026-01-02T15:04:05Z\"", value);
      }
      const auto time = parse_rfc3339({value.get_string().data(), value.get_string().size()});
      if (!time.ok()) {
        return wrong(path, "a time such as \"2026-01-02T15:04:05Z\"", value);
      }
      const auto seconds = std::chrono::floor<std::chrono::seconds>(*time);
      auto& out = static_cast<google::protobuf::Timestamp&>(message);
      out.set_seconds(seconds.time_since_epoch().count());
      out.set_nanos(static_cast<int32_t>((*time - seconds).count()));
      return absl::OkStatus();
    }
    case WellKnown::Wrapper:
      return read_field_value(value, message, message.GetDescriptor()->field(0), path, depth);
    case WellKnown::Struct:
      if (!value.is_object()) {
        return wrong(path, "an object", value);
      }
      for (const auto& [key, member] : value.get_object()) {
        read_value(member, (*static_cast<google::protobuf::Struct&>(message).mutable_fields())[std::string(key)]);
      }
      return absl::OkStatus();
    case WellKnown::Value:
      read_value(value, static_cast<google::protobuf::Value&>(message));
      return absl::OkStatus();
    case WellKnown::ListValue:
      if (!value.is_array()) {
        return wrong(path, "a list", value);
      }
      for (const json::value& element : value.get_array()) {
        read_value(element, *static_cast<google::protobuf::ListValue&>(message).add_values());
      }
      return absl::OkStatus();
    case WellKnown::Any:
      return read_any(value, static_cast<google::protobuf::Any&>(message), path, depth);
  }
  return absl::OkStatus();
}

}  // namespace

json::object to_json_object(const Message& message) {
  json::value value = print_message(message);
  return value.is_object() ? std::move(value.get_object()) : json::object{{"value", std::move(value)}};
}

absl::Status from_json_value(const json::value& value, Message& message) {
  message.Clear();
  return read_message(value, message, FieldPath(), 0);
}

}  // namespace kuma::model
