#include "policy/meshaccesslog/backend.h"

#include "base/status.h"
#include "base/text.h"
#include "envoy/extensions/access_loggers/open_telemetry/v3/logs_service.pb.h"
#include "google/protobuf/util/json_util.h"
#include "opentelemetry/proto/common/v1/common.pb.h"
#include "policy/envoy/pack.h"

namespace kuma::policy::meshaccesslog {
namespace {

using ::envoy::config::core::v3::ApiVersion;
using ::envoy::extensions::access_loggers::open_telemetry::v3::OpenTelemetryAccessLogConfig;
using ::opentelemetry::proto::common::v1::AnyValue;
using envoy::AccessLog;
using google::protobuf::Struct;

std::string_view text_of(const json::value& object, std::string_view member) {
  const json::value* value = find(object, member);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

const json::value* section_of(const json::value& backend, std::string_view* name = nullptr) {
  for (const std::string_view section : {"tcp", "file", "openTelemetry"}) {
    if (const json::value* found = find(backend, section)) {
      if (name != nullptr) {
        *name = section;
      }
      return found;
    }
  }
  return nullptr;
}

const json::array* list_of(const json::value& object, std::string_view member) {
  const json::value* value = find(object, member);
  return value != nullptr && value->is_array() ? &value->get_array() : nullptr;
}

// ---- lines of text and of JSON

// A format: one of the two is there.
struct Line {
  std::optional<std::string> plain;
  Struct members;
  bool omit_empty = false;
};

absl::StatusOr<Line> make_line(const json::value* format, const LogContext& context) {
  Line line;
  const json::value* plain = format == nullptr ? nullptr : find(*format, "plain");
  const json::array* pairs = format == nullptr ? nullptr : list_of(*format, "json");
  if (format != nullptr) {
    const json::value* omit = find(*format, "omitEmptyValues");
    line.omit_empty = omit != nullptr && omit->is_bool() && omit->get_bool();
  }
  if (plain != nullptr || pairs == nullptr) {
    const std::string_view text = plain != nullptr && plain->is_string() ? std::string_view(plain->get_string())
                                                                         : envoy::default_log_format(context.http);
    KUMA_ASSIGN_OR_RETURN(line.plain, model::fill_access_log_format(text, context.values));
    return line;
  }
  for (const json::value& pair : *pairs) {
    KUMA_ASSIGN_OR_RETURN(std::string value, model::fill_access_log_format(text_of(pair, "value"), context.values));
    (*line.members.mutable_fields())[std::string(text_of(pair, "key"))].set_string_value(std::move(value));
  }
  return line;
}

absl::StatusOr<AccessLog> file_logger(const json::value& file, const LogContext& context) {
  KUMA_ASSIGN_OR_RETURN(Line line, make_line(find(file, "format"), context));
  std::string path(text_of(file, "path"));
  if (line.plain) {
    return envoy::text_file_log(std::move(path), *std::move(line.plain), line.omit_empty);
  }
  return envoy::json_file_log(std::move(path), std::move(line.members), line.omit_empty);
}

// kuma-dp sends each message to the address beside it.
absl::StatusOr<AccessLog> tcp_logger(const json::value& tcp, const LogContext& context) {
  if (context.access_log_path.empty()) {
    return absl::FailedPreconditionError("logs can't be sent over TCP: the proxy's kuma-dp reads none");
  }
  KUMA_ASSIGN_OR_RETURN(Line line, make_line(find(tcp, "format"), context));
  Struct both;
  (*both.mutable_fields())["address"].set_string_value(std::string(text_of(tcp, "address")));
  auto& message = (*both.mutable_fields())["message"];
  if (line.plain) {
    message.set_string_value(*line.plain + "\n");
  } else {
    *message.mutable_struct_value() = std::move(line.members);
  }
  return envoy::json_file_log(context.access_log_path, std::move(both), line.omit_empty);
}

// ---- OpenTelemetry

// What a body is: a value in OpenTelemetry's JSON form, or else its own JSON as text.
AnyValue parse_body(const json::value& body) {
  AnyValue value;
  const std::string text = to_json(body);
  if (!body.is_object() || !google::protobuf::util::JsonStringToMessage(text, &value).ok()) {
    value.Clear();
    value.set_string_value(text);
  }
  return value;
}

// The schema bounds the nesting of JSON, and with it the depth of this. Envoy refuses what is neither text nor made of it.
absl::Status fill_body(const model::AccessLogValues& values, AnyValue& value) {
  if (!value.has_string_value() && !value.has_array_value() && !value.has_kvlist_value()) {
    return absl::InvalidArgumentError("values have to be one of stringValue, arrayValue, kvlistValue");
  }
  if (value.has_string_value()) {
    KUMA_ASSIGN_OR_RETURN(*value.mutable_string_value(), model::fill_access_log_format(value.string_value(), values));
  }
  if (value.has_array_value()) {
    for (auto& element : *value.mutable_array_value()->mutable_values()) {
      KUMA_RETURN_IF_ERROR(fill_body(values, element));
    }
  }
  if (value.has_kvlist_value()) {
    for (auto& pair : *value.mutable_kvlist_value()->mutable_values()) {
      KUMA_ASSIGN_OR_RETURN(*pair.mutable_key(), model::fill_access_log_format(pair.key(), values));
      KUMA_RETURN_IF_ERROR(fill_body(values, *pair.mutable_value()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<AccessLog> otlp_logger(const json::value& section, const LogContext& context) {
  OpenTelemetryAccessLogConfig config;
  auto& common = *config.mutable_common_config();
  common.set_log_name("MeshAccessLog");
  common.set_transport_api_version(ApiVersion::V3);
  common.mutable_grpc_service()->mutable_envoy_grpc()->set_cluster_name(context.collector_cluster);
  if (const json::value* body = find(section, "body"); body != nullptr && !body->is_null()) {
    *config.mutable_body() = parse_body(*body);
  } else {
    config.mutable_body()->set_string_value(std::string(envoy::default_log_format(context.http)));
  }
  KUMA_RETURN_IF_ERROR(fill_body(context.values, *config.mutable_body()));
  config.mutable_attributes();
  if (const json::array* attributes = list_of(section, "attributes")) {
    for (const json::value& pair : *attributes) {
      auto& attribute = *config.mutable_attributes()->add_values();
      attribute.set_key(std::string(text_of(pair, "key")));
      attribute.mutable_value()->set_string_value(std::string(text_of(pair, "value")));
    }
  }
  AccessLog log;
  log.set_name("envoy.access_loggers.open_telemetry");
  envoy::pack(config, log.mutable_typed_config());
  return log;
}

}  // namespace

std::string_view collector_of(const json::value& backend) {
  std::string_view name;
  const json::value* section = section_of(backend, &name);
  return section != nullptr && name == "openTelemetry" ? text_of(*section, "endpoint") : std::string_view();
}

std::string format_text(const json::value& backend) {
  std::string_view name;
  const json::value* section = section_of(backend, &name);
  const json::value* format = section == nullptr ? nullptr : find(*section, name == "openTelemetry" ? "body" : "format");
  return format == nullptr ? std::string() : to_json(*format);
}

absl::StatusOr<AccessLog> make_logger(const json::value& backend, const LogContext& context) {
  std::string_view name;
  const json::value* section = section_of(backend, &name);
  if (section == nullptr) {
    return absl::InvalidArgumentError("a backend needs one of tcp, file, openTelemetry");
  }
  if (name == "tcp") {
    return tcp_logger(*section, context);
  }
  return name == "file" ? file_logger(*section, context) : otlp_logger(*section, context);
}

absl::Status check_body(const json::value& body) {
  AnyValue value = parse_body(body);
  return fill_body({}, value);
}

}  // namespace kuma::policy::meshaccesslog
