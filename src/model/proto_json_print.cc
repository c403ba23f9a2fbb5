#include <charconv>
#include <cmath>
#include <map>

#include "base/text.h"
#include "fmt/format.h"
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
using std::chrono::nanoseconds;

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

}  // namespace

json::object to_json_object(const Message& message) {
  json::value value = print_message(message);
  return value.is_object() ? std::move(value.get_object()) : json::object{{"value", std::move(value)}};
}

}  // namespace kuma::model
