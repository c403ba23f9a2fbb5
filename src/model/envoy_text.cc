#include "model/envoy_text.h"

#include <memory>

#include "base/status.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/type_resolver_util.h"
#include "model/envoy_constraints.h"
#include "model/envoy_types.h"

namespace kuma::model {
namespace {

using google::protobuf::Message;
using google::protobuf::util::TypeResolver;

constexpr char kPrefix[] = "type.googleapis.com";

std::unique_ptr<TypeResolver> make_resolver() {
  return std::unique_ptr<TypeResolver>(google::protobuf::util::NewTypeResolverForDescriptorPool(kPrefix, &envoy_types()));
}

std::string url_of(const Message& message) { return fmt::format("{}/{}", kPrefix, message.GetDescriptor()->full_name()); }

// The first Any whose type Envoy does not have; empty: there is none.
std::string unknown_any(const json::value& value) {
  if (const json::array* array = value.if_array()) {
    for (const json::value& item : *array) {
      if (std::string unknown = unknown_any(item); !unknown.empty()) {
        return unknown;
      }
    }
  }
  const json::object* object = value.if_object();
  if (object == nullptr) {
    return "";
  }
  for (const auto& [name, member] : *object) {
    if (name == "@type" && member.is_string() && find_envoy_type(std::string_view(member.get_string())) == nullptr) {
      return std::string(member.get_string());
    }
    if (std::string unknown = unknown_any(member); !unknown.empty()) {
      return unknown;
    }
  }
  return "";
}

// The parser's words without its own preamble.
absl::Status readable(const google::protobuf::util::Status& status) {
  std::string text(status.message().data(), status.message().size());
  if (text.empty()) {
    text = status.ToString();
  }
  return absl::InvalidArgumentError(text);
}

absl::StatusOr<json::value> object_of(std::string_view yaml) {
  if (yaml.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return absl::InvalidArgumentError("unexpected EOF");
  }
  KUMA_ASSIGN_OR_RETURN(json::value value, parse_yaml(yaml));
  if (!value.is_object()) {
    return absl::InvalidArgumentError(fmt::format("expected an object, got {}", to_json(value)));
  }
  return value;
}

}  // namespace

absl::Status read_envoy_json(const json::value& value, UnknownFields unknown, Message& message) {
  message.Clear();
  if (std::string url = unknown_any(value); !url.empty()) {
    return absl::InvalidArgumentError(fmt::format("could not resolve Any message type: {}", url));
  }
  const std::unique_ptr<TypeResolver> resolver = make_resolver();
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = unknown == UnknownFields::Ignore;
  std::string bytes;
  auto status = google::protobuf::util::JsonToBinaryString(resolver.get(), url_of(message), to_json(value), &bytes, options);
  if (!status.ok()) {
    return readable(status);
  }
  if (!message.ParseFromString(bytes)) {
    message.Clear();
    return absl::InvalidArgumentError(fmt::format("is no {}", message.GetDescriptor()->full_name()));
  }
  return absl::OkStatus();
}

absl::Status read_envoy_text(std::string_view yaml, UnknownFields unknown, Message& message) {
  message.Clear();
  KUMA_ASSIGN_OR_RETURN(json::value value, object_of(yaml));
  return read_envoy_json(value, unknown, message);
}

absl::StatusOr<google::protobuf::Any> read_envoy_any(std::string_view yaml, UnknownFields unknown) {
  KUMA_ASSIGN_OR_RETURN(json::value value, object_of(yaml));
  const json::value* type = find(value, "@type");
  if (type == nullptr || !type->is_string()) {
    return absl::InvalidArgumentError("the member @type has to name the message's type");
  }
  google::protobuf::Any any;
  KUMA_RETURN_IF_ERROR(read_envoy_json(value, unknown, any));
  return any;
}

absl::StatusOr<json::value> to_envoy_json(const Message& message) {
  const std::unique_ptr<TypeResolver> resolver = make_resolver();
  std::string text;
  auto status = google::protobuf::util::BinaryToJsonString(resolver.get(), url_of(message), message.SerializeAsString(), &text);
  if (!status.ok()) {
    return readable(status);
  }
  return parse_json(text);
}

absl::Status check_envoy_patch(std::string_view yaml, const Message& prototype) {
  const std::unique_ptr<Message> message(prototype.New());
  return read_envoy_text(yaml, UnknownFields::Refuse, *message);
}

absl::Status check_envoy_resource(std::string_view yaml, const Message& prototype) {
  const std::unique_ptr<Message> message(prototype.New());
  KUMA_RETURN_IF_ERROR(read_envoy_text(yaml, UnknownFields::Refuse, *message));
  return check_envoy_constraints(*message);
}

}  // namespace kuma::model
