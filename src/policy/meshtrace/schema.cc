#include "policy/meshtrace/schema.h"

#include <charconv>

#include "base/status.h"
#include "boost/url/parse.hpp"
#include "policy/envoy/collector.h"
#include "policy/target_ref_schema.h"

namespace kuma::policy {
namespace {

using model::array;
using model::boolean;
using model::enumeration;
using model::kRequired;
using model::object;
using model::string;

const model::JsonSchema& schema() {
  static const model::JsonSchema kBackend = object({
      {"type", enumeration({"Zipkin", "Datadog", "OpenTelemetry"}), kRequired},
      {"zipkin", object({{"url", string(), kRequired},
                         {"traceId128bit", boolean()},
                         {"apiVersion", enumeration({"httpJson", "httpProto"})},
                         {"sharedSpanContext", boolean()}})},
      {"datadog", object({{"url", string(), kRequired}, {"splitService", boolean()}})},
      {"openTelemetry", object({{"endpoint", string().length(1), kRequired}})},
  });
  static const model::JsonSchema kConf = object({
      {"backends", array(kBackend).keeping_empty()},
      {"sampling", object({{"overall", model::int_or_string()}, {"client", model::int_or_string()}, {"random", model::int_or_string()}})},
      {"tags", array(object({{"name", string(), kRequired},
                             {"literal", string()},
                             {"header", object({{"name", string(), kRequired}, {"default", string()}})}}))
                   .keeping_empty()},
  });
  static const model::JsonSchema kSchema = object({
      {"targetRef", target_ref_schema().always(), kRequired},
      {"default", kConf.always()},
  });
  return kSchema;
}

bool is_port(std::string_view digits) {
  uint32_t port = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return failure == std::errc() && end == digits.data() + digits.size() && port >= 1 && port <= 65535;
}

void validate_datadog_url(const ConfView& text, Violations& violations) {
  const auto url = boost::urls::parse_uri(text.text());
  if (url.has_error()) {
    violations.add(text.path(), "must be a valid url");
    return;
  }
  if (url->scheme() != "http") {
    violations.add(text.path(), "scheme must be http");
  }
  if (!url->has_port() || url->port().empty()) {
    violations.add(text.path(), "port must be defined");
  } else if (!is_port(url->port())) {
    violations.add(text.path(), "port must be a valid (1-65535)");
  }
  const auto refuse = [&](bool has_it, const char* part) {
    if (has_it) {
      violations.add(text.path(), "{} must not be defined", part);
    }
  };
  refuse(!url->has_authority(), "opaque");
  refuse(url->has_userinfo(), "user");
  refuse(url->has_authority() && !url->encoded_path().empty(), "path");
  refuse(url->has_query(), "query");
  refuse(url->has_fragment(), "fragment");
}

void validate_backend(const ConfView& backend, Violations& violations) {
  const std::string_view type = backend["type"].text();
  const ConfView section = backend[type == "Zipkin" ? "zipkin" : type == "Datadog" ? "datadog" : "openTelemetry"];
  if (!section) {
    violations.add(section.path(), "must be defined");
    return;
  }
  if (type == "OpenTelemetry") {
    const ConfView endpoint = section["endpoint"];
    if (const auto collector = envoy::parse_otlp_endpoint(endpoint.text()); !collector.ok()) {
      violations.add(endpoint.path(), "{}", message_of(collector.status()));
    }
    return;
  }
  const ConfView url = section["url"];
  if (type == "Datadog") {
    validate_datadog_url(url, violations);
  } else if (type == "Zipkin" && url.text().empty()) {
    violations.add(url.path(), "must not be empty");
  } else if (type == "Zipkin" && boost::urls::parse_uri(url.text()).has_error()) {
    violations.add(url.path(), "must be a valid url");
  }
}

void validate_backends(const ConfView& backends, Violations& violations) {
  if (!backends) {
    violations.add(backends.path(), "must be defined");
    return;
  }
  const std::vector<ConfView> items = backends.items();
  if (items.size() > 1) {
    violations.add(backends.path(), "must have zero or one backend defined");
  } else if (!items.empty()) {
    validate_backend(items[0], violations);
  }
}

void validate_sampling(const ConfView& share, Violations& violations) {
  if (!share) {
    return;
  }
  const auto value = share.decimal();
  if (!value) {
    violations.add(share.path(), "string is not a number");
  } else if (*value < 0 || *value > 100) {
    violations.add(share.path(), "must be between 0 and 100");
  }
}

void validate(const model::Resource& resource, Violations& violations) {
  const ConfView spec = spec_view(resource);
  validate_target_ref(spec["targetRef"], kAnyProxy, violations);
  const ConfView conf = spec["default"];
  validate_backends(conf["backends"], violations);
  for (const ConfView& tag : conf["tags"].items()) {
    if (tag["name"].text().empty()) {
      violations.add(tag["name"].path(), "must not be empty");
    }
    if (static_cast<bool>(tag["header"]) == static_cast<bool>(tag["literal"])) {
      violations.add(tag.path(), "tag must have only one type defined: header, literal");
    }
  }
  for (const char* share : {"client", "random", "overall"}) {
    validate_sampling(conf["sampling"][share], violations);
  }
}

}  // namespace

model::ResourceType mesh_trace_type() {
  return target_ref_type("MeshTrace", "meshtrace", "meshtraces", "Mesh Trace", "Mesh Traces", schema(), validate);
}

}  // namespace kuma::policy
