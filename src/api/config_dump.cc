#include "api/config_dump.h"

#include "base/json.h"
#include "base/status.h"
#include "model/envoy_types.h"

namespace kuma::api {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr std::string_view kConfigDump = "envoy.admin.v3.ConfigDump";

// Renames the members of messages from Envoy's spelling (`static_clusters`) to that of protobuf's JSON (`staticClusters`).
// What is no message's member keeps its name: keys of maps, and everything of a type that we don't know.
class Renamer {
 public:
  json::value message(json::value value, const Descriptor* type) const {
    if (type == nullptr || !value.is_object()) {
      return value;
    }
    if (type->full_name() == "google.protobuf.Any") {
      return any(std::move(value));
    }
    if (type->well_known_type() != Descriptor::WELLKNOWNTYPE_UNSPECIFIED) {
      return value;  // its JSON has no members, or free ones
    }
    json::object renamed;
    for (auto& [name, member] : value.get_object()) {
      const FieldDescriptor* field = find_field(*type, name);
      if (field == nullptr) {
        renamed[name] = std::move(member);
      } else {
        renamed[std::string_view(field->json_name())] = this->field(std::move(member), *field);
      }
    }
    return renamed;
  }

 private:
  static const FieldDescriptor* find_field(const Descriptor& type, std::string_view name) {
    const FieldDescriptor* field = type.FindFieldByName(std::string(name));
    return field != nullptr ? field : type.FindFieldByCamelcaseName(std::string(name));
  }

  json::value any(json::value value) const {
    const json::value* url = find(value, "@type");
    return message(std::move(value), url == nullptr || !url->is_string()
                                         ? nullptr
                                         : model::find_envoy_type(std::string_view(url->get_string())));
  }

  json::value field(json::value value, const FieldDescriptor& field) const {
    if (field.is_map()) {
      const FieldDescriptor& of_value = *field.message_type()->FindFieldByNumber(2);
      if (value.is_object() && of_value.message_type() != nullptr) {
        for (auto& entry : value.get_object()) {
          entry.value() = message(std::move(entry.value()), of_value.message_type());
        }
      }
      return value;
    }
    if (field.message_type() == nullptr) {
      return value;
    }
    if (!field.is_repeated()) {
      return message(std::move(value), field.message_type());
    }
    if (value.is_array()) {
      for (json::value& item : value.get_array()) {
        item = message(std::move(item), field.message_type());
      }
    }
    return value;
  }
};

// Hides `authorization` in the initial metadata of every gRPC service below `value`.
void redact(json::value& value) {
  if (value.is_array()) {
    for (json::value& item : value.get_array()) {
      redact(item);
    }
    return;
  }
  if (!value.is_object()) {
    return;
  }
  for (auto& entry : value.get_object()) {
    if (entry.key() != "initialMetadata" || !entry.value().is_array()) {
      redact(entry.value());
      continue;
    }
    for (json::value& header : entry.value().get_array()) {
      const json::value* key = find(header, "key");
      if (key != nullptr && key->is_string() && key->get_string() == "authorization") {
        header.get_object()["value"] = "[redacted]";
      }
    }
  }
}

void redact_bootstraps(json::value& dump) {
  json::value* configs = dump.is_object() ? dump.get_object().if_contains("configs") : nullptr;
  if (configs == nullptr || !configs->is_array()) {
    return;
  }
  for (json::value& config : configs->get_array()) {
    if (json::value* bootstrap = config.is_object() ? config.get_object().if_contains("bootstrap") : nullptr) {
      redact(*bootstrap);
    }
  }
}

}  // namespace

absl::StatusOr<std::string> sanitize_config_dump(std::string_view dump) {
  KUMA_ASSIGN_OR_RETURN(json::value value, parse_json(dump));
  value = Renamer().message(std::move(value), model::find_envoy_type(kConfigDump));
  redact_bootstraps(value);
  return to_pretty_json(value);
}

}  // namespace kuma::api
