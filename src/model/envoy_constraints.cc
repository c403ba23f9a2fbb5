#include "model/envoy_constraints.h"

#include <optional>

#include "base/status.h"
#include "fmt/format.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/wrappers.pb.h"
#include "validate/validate.pb.h"

namespace kuma::model {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;
using ::validate::FieldRules;

// Messages of Envoy's API nest deeper than this only in attempts to break something.
constexpr int kDepthMax = 64;

// `load_assignment` as the reference's validator names it: LoadAssignment.
std::string go_name(std::string_view name) {
  std::string camel;
  bool upper = true;
  for (char c : name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    camel += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    upper = false;
  }
  return camel;
}

std::string go_type(const Descriptor& type) {
  return type.containing_type() == nullptr ? type.name() : go_type(*type.containing_type()) + "_" + type.name();
}

absl::Status invalid(const Descriptor& type, std::string_view field, std::string_view reason) {
  return absl::InvalidArgumentError(fmt::format("invalid {}.{}: {}", go_type(type), go_name(field), reason));
}

// A bound of a rule for numbers, whatever the number's type; nothing: it is not set.
std::optional<double> bound_of(const Message& rules, const std::string& name) {
  const FieldDescriptor* field = rules.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr || field->is_repeated() || !rules.GetReflection()->HasField(rules, field)) {
    return std::nullopt;
  }
  const Reflection& reflection = *rules.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(rules, field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(rules, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return static_cast<double>(reflection.GetInt64(rules, field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return static_cast<double>(reflection.GetUInt64(rules, field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetDouble(rules, field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection.GetFloat(rules, field);
    default:
      return std::nullopt;
  }
}

// The rules of the field's own kind: StringRules, UInt32Rules, …; null: none.
const Message* kind_rules(const FieldRules& rules) {
  const OneofDescriptor& kinds = *FieldRules::descriptor()->FindOneofByName("type");
  const Reflection& reflection = *rules.GetReflection();
  const FieldDescriptor* kind = reflection.GetOneofFieldDescriptor(rules, &kinds);
  return kind == nullptr ? nullptr : &reflection.GetMessage(rules, kind);
}

std::string broken_bound(const Message& rules, double value) {
  const auto less = bound_of(rules, "lt"), less_or_equal = bound_of(rules, "lte");
  const auto greater = bound_of(rules, "gt"), greater_or_equal = bound_of(rules, "gte");
  const auto exact = bound_of(rules, "const");
  if (exact && value != *exact) {
    return fmt::format("value must equal {}", *exact);
  }
  const bool low = (greater && value <= *greater) || (greater_or_equal && value < *greater_or_equal);
  const bool high = (less && value >= *less) || (less_or_equal && value > *less_or_equal);
  if (!low && !high) {
    return "";
  }
  if ((less || less_or_equal) && (greater || greater_or_equal)) {
    return fmt::format("value must be inside range {}{}, {}{}", greater ? "(" : "[", greater ? *greater : *greater_or_equal,
                       less ? *less : *less_or_equal, less ? ")" : "]");
  }
  return low ? fmt::format("value must be greater than {}{}", greater ? "" : "or equal to ", greater ? *greater : *greater_or_equal)
             : fmt::format("value must be less than {}{}", less ? "" : "or equal to ", less ? *less : *less_or_equal);
}

size_t runes_in(std::string_view text) {
  size_t runes = 0;
  for (char c : text) {
    runes += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
  }
  return runes;
}

std::string broken_text(const ::validate::StringRules& rules, const std::string& value) {
  if (rules.ignore_empty() && value.empty()) {
    return "";
  }
  if (rules.has_min_len() && runes_in(value) < rules.min_len()) {
    return fmt::format("value length must be at least {} runes", rules.min_len());
  }
  if (rules.has_max_len() && runes_in(value) > rules.max_len()) {
    return fmt::format("value length must be at most {} runes", rules.max_len());
  }
  if (rules.has_min_bytes() && value.size() < rules.min_bytes()) {
    return fmt::format("value length must be at least {} bytes", rules.min_bytes());
  }
  if (rules.has_max_bytes() && value.size() > rules.max_bytes()) {
    return fmt::format("value length must be at most {} bytes", rules.max_bytes());
  }
  if (rules.has_prefix() && !std::string_view(value).starts_with(rules.prefix())) {
    return fmt::format("value does not have prefix \"{}\"", rules.prefix());
  }
  return "";
}

double seconds_of(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + duration.nanos() / 1e9;
}

std::string broken_duration(const ::validate::DurationRules& rules, const google::protobuf::Duration& value) {
  const double seconds = seconds_of(value);
  if (rules.has_gt() && seconds <= seconds_of(rules.gt())) {
    return fmt::format("value must be greater than {}s", seconds_of(rules.gt()));
  }
  if (rules.has_gte() && seconds < seconds_of(rules.gte())) {
    return fmt::format("value must be greater than or equal to {}s", seconds_of(rules.gte()));
  }
  if (rules.has_lt() && seconds >= seconds_of(rules.lt())) {
    return fmt::format("value must be less than {}s", seconds_of(rules.lt()));
  }
  if (rules.has_lte() && seconds > seconds_of(rules.lte())) {
    return fmt::format("value must be less than or equal to {}s", seconds_of(rules.lte()));
  }
  return "";
}

std::string number_rule(const Message* rules, double value) { return rules == nullptr ? "" : broken_bound(*rules, value); }

// What is wrong with one value that is no message; empty: nothing.
std::string broken_scalar(const Message& message, const FieldDescriptor& field, const FieldRules& rules) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return rules.has_string() ? broken_text(rules.string(), reflection.GetString(message, &field)) : "";
    case FieldDescriptor::CPPTYPE_INT32:
      return number_rule(kind_rules(rules), reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return number_rule(kind_rules(rules), reflection.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return number_rule(kind_rules(rules), static_cast<double>(reflection.GetInt64(message, &field)));
    case FieldDescriptor::CPPTYPE_UINT64:
      return number_rule(kind_rules(rules), static_cast<double>(reflection.GetUInt64(message, &field)));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return number_rule(kind_rules(rules), reflection.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return number_rule(kind_rules(rules), reflection.GetFloat(message, &field));
    case FieldDescriptor::CPPTYPE_ENUM: {
      const bool known = field.enum_type()->FindValueByNumber(reflection.GetEnumValue(message, &field)) != nullptr;
      return rules.enum_().defined_only() && !known ? "value must be one of the defined enum values" : "";
    }
    case FieldDescriptor::CPPTYPE_BOOL:
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "";
  }
  return "";
}

// The rules of a wrapped number or text are for what is wrapped.
std::string broken_special(const Message& value, const FieldRules& rules) {
  const Descriptor& type = *value.GetDescriptor();
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_DURATION:
      if (const auto* duration = google::protobuf::DynamicCastToGenerated<google::protobuf::Duration>(&value);
          duration != nullptr && rules.has_duration()) {
        return broken_duration(rules.duration(), *duration);
      }
      return "";
    case Descriptor::WELLKNOWNTYPE_DOUBLEVALUE:
    case Descriptor::WELLKNOWNTYPE_FLOATVALUE:
    case Descriptor::WELLKNOWNTYPE_INT64VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT64VALUE:
    case Descriptor::WELLKNOWNTYPE_INT32VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT32VALUE:
    case Descriptor::WELLKNOWNTYPE_STRINGVALUE:
      return broken_scalar(value, *type.FindFieldByNumber(1), rules);
    default:
      return "";
  }
}

class Checker {
 public:
  absl::Status check(const Message& message, int depth) {
    const Descriptor& type = *message.GetDescriptor();
    if (type.full_name().starts_with("google.protobuf.") || type.options().GetExtension(::validate::disabled)) {
      return absl::OkStatus();
    }
    if (depth > kDepthMax) {
      return absl::InvalidArgumentError(fmt::format("{} is nested too deeply", type.full_name()));
    }
    for (int i = 0; i < type.field_count(); ++i) {
      KUMA_RETURN_IF_ERROR(check_field(message, *type.field(i), depth));
    }
    for (int i = 0; i < type.real_oneof_decl_count(); ++i) {
      const OneofDescriptor& choice = *type.oneof_decl(i);
      if (choice.options().GetExtension(::validate::required) && !message.GetReflection()->HasOneof(message, &choice)) {
        return invalid(type, choice.name(), "value is required");
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status check_field(const Message& message, const FieldDescriptor& field, int depth) {
    const Descriptor& type = *message.GetDescriptor();
    const Reflection& reflection = *message.GetReflection();
    const FieldRules& rules = field.options().GetExtension(::validate::rules);
    if (field.is_repeated()) {
      return check_list(message, field, rules, depth);
    }
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      const bool counts = !field.has_presence() || reflection.HasField(message, &field);
      const std::string reason = counts ? broken_scalar(message, field, rules) : "";
      return reason.empty() ? absl::OkStatus() : invalid(type, field.name(), reason);
    }
    if (!reflection.HasField(message, &field)) {
      const bool required = rules.message().required() || rules.duration().required() || rules.any().required();
      return required && field.real_containing_oneof() == nullptr ? invalid(type, field.name(), "value is required") : absl::OkStatus();
    }
    const Message& value = reflection.GetMessage(message, &field);
    if (const std::string reason = broken_special(value, rules); !reason.empty()) {
      return invalid(type, field.name(), reason);
    }
    return rules.message().skip() ? absl::OkStatus() : embedded(type, field.name(), check(value, depth + 1));
  }

  absl::Status check_list(const Message& message, const FieldDescriptor& field, const FieldRules& rules, int depth) {
    const Descriptor& type = *message.GetDescriptor();
    const Reflection& reflection = *message.GetReflection();
    const int size = reflection.FieldSize(message, &field);
    const auto& list = rules.repeated();
    if (list.has_min_items() && static_cast<uint64_t>(size) < list.min_items() && !field.is_map()) {
      return invalid(type, field.name(), fmt::format("value must contain at least {} item(s)", list.min_items()));
    }
    if (list.has_max_items() && static_cast<uint64_t>(size) > list.max_items() && !field.is_map()) {
      return invalid(type, field.name(), fmt::format("value must contain no more than {} item(s)", list.max_items()));
    }
    if (field.is_map() || list.items().message().skip()) {
      return absl::OkStatus();
    }
    for (int i = 0; i < size; ++i) {
      const std::string name = fmt::format("{}[{}]", field.name(), i);
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        KUMA_RETURN_IF_ERROR(embedded(type, name, check(reflection.GetRepeatedMessage(message, &field, i), depth + 1)));
      } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING && list.items().has_string()) {
        const std::string reason = broken_text(list.items().string(), reflection.GetRepeatedString(message, &field, i));
        if (!reason.empty()) {
          return invalid(type, name, reason);
        }
      }
    }
    return absl::OkStatus();
  }

  static absl::Status embedded(const Descriptor& type, std::string_view field, const absl::Status& status) {
    return status.ok() ? status
                       : invalid(type, field, fmt::format("embedded message failed validation | caused by: {}", message_of(status)));
  }
};

}  // namespace

absl::Status check_envoy_constraints(const Message& message) { return Checker().check(message, 0); }

}  // namespace kuma::model
