#include "api/config_dump.h"

#include "base/json.h"
#include "base/status.h"

namespace kuma::api {
namespace {

json::value* member(json::value& value, std::string_view name) {
  return value.is_object() ? value.get_object().if_contains(name) : nullptr;
}

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
    const std::string_view name = entry.key();
    if ((name != "initial_metadata" && name != "initialMetadata") || !entry.value().is_array()) {
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

}  // namespace

absl::StatusOr<std::string> sanitize_config_dump(std::string_view dump) {
  KUMA_ASSIGN_OR_RETURN(json::value value, parse_json(dump));
  json::value* configs = member(value, "configs");
  if (configs != nullptr && configs->is_array()) {
    for (json::value& config : configs->get_array()) {
      if (json::value* bootstrap = member(config, "bootstrap")) {
        redact(*bootstrap);
      }
    }
  }
  return to_pretty_json(value);
}

}  // namespace kuma::api
