#include <algorithm>
#include <regex>
#include <set>

#include "base/status.h"
#include "boost/url/parse.hpp"
#include "mesh/v1alpha1/mesh.pb.h"
#include "model/access_log_format.h"
#include "model/proto_json.h"
#include "model/regex.h"
#include "model/selectors.h"
#include "model/validate_prometheus.h"
#include "model/validators.h"

namespace kuma::model {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;

// Reads a backend's free-form conf as the message it stands for.
template <typename T>
bool read_conf(const google::protobuf::Struct& conf, const FieldPath& path, T& out, Violations& violations) {
  if (const absl::Status status = from_json_value(to_json_object(conf), out); !status.ok()) {
    violations.add(path, "could not parse config: {}", reference_text_of(status));
    return false;
  }
  return true;
}

bool is_expiration(const std::string& text) {
  static const std::regex kForm("^(0|([0-9]+)(y|w|d|h|m|s|ms))$");
  return std::regex_match(text, kForm);
}

void validate_mtls(const pb::Mesh::Mtls& mtls, Violations& violations) {
  const FieldPath path("mtls");
  if (mtls.backends_size() > 1) {
    violations.add(path.field("backends"), "cannot have more than 1 backends");
  }
  std::set<std::string> names;
  for (int i = 0; i < mtls.backends_size(); ++i) {
    if (!names.insert(mtls.backends(i).name()).second) {
      violations.add(path.field("backends").index(static_cast<size_t>(i)).field("name"),
                     "\"{}\" name is already used for another backend", mtls.backends(i).name());
    }
  }
  if (!mtls.enabledbackend().empty() && !names.contains(mtls.enabledbackend())) {
    violations.add(path.field("enabledBackend"), "has to be set to one of the backends in the mesh");
  }
  for (const pb::CertificateAuthorityBackend& backend : mtls.backends()) {
    if (backend.has_dpcert() && !is_expiration(backend.dpcert().rotation().expiration())) {
      violations.add(path.field("dpcert").field("rotation").field("expiration"), "has to be a valid format");
    }
  }
}

bool is_host_port(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon + 1 == address.size()) {
    return false;
  }
  const bool bracketed = address[0] == '[';
  const bool many_colons = address.find(':') != colon;
  return bracketed ? address[colon - 1] == ']' : !many_colons;
}

void validate_logging(const pb::Logging& logging, Violations& violations) {
  const FieldPath path("logging");
  std::set<std::string> names;
  for (int i = 0; i < logging.backends_size(); ++i) {
    const pb::LoggingBackend& backend = logging.backends(i);
    const FieldPath at = path.field("backends").index(static_cast<size_t>(i));
    if (backend.name().empty()) {
      violations.add(at.field("name"), "cannot be empty");
    }
    if (const absl::Status status = check_access_log_format(backend.format()); !status.ok()) {
      violations.add(at.field("format"), "{}", message_of(status));
    }
    const FieldPath config = at.field("config");
    if (backend.type() == "file") {
      pb::FileLoggingBackendConfig conf;
      if (read_conf(backend.conf(), config, conf, violations) && conf.path().empty()) {
        violations.add(config.field("path"), "cannot be empty");
      }
    } else if (backend.type() == "tcp") {
      pb::TcpLoggingBackendConfig conf;
      if (read_conf(backend.conf(), config, conf, violations)) {
        if (conf.address().empty()) {
          violations.add(config.field("address"), "cannot be empty");
        } else if (!is_host_port(conf.address())) {
          violations.add(config.field("address"), "has to be in format of HOST:PORT");
        }
      }
    } else {
      violations.add(at.field("type"), "unknown backend type. Available backends: \"tcp\", \"file\"");
    }
    if (!names.insert(backend.name()).second) {
      violations.add(at.field("name"), "\"{}\" name is already used for another backend", backend.name());
    }
  }
  if (!logging.defaultbackend().empty() && !names.contains(logging.defaultbackend())) {
    violations.add(path.field("defaultBackend"), "has to be set to one of the logging backend in mesh");
  }
}

void validate_zipkin(const pb::ZipkinTracingBackendConfig& conf, const FieldPath& path, Violations& violations) {
  const std::string& version = conf.apiversion();
  if (!version.empty() && version != "httpJsonV1" && version != "httpJson" && version != "httpProto") {
    violations.add(path.field("apiVersion"), "has invalid value. Allowed values: httpJsonV1, httpJson, httpProto");
  }
  if (conf.url().empty()) {
    violations.add(path.field("url"), "cannot be empty");
    return;
  }
  const auto url = boost::urls::parse_uri_reference(conf.url());
  if (url.has_error() || url->scheme().empty()) {
    violations.add(path.field("url"), "invalid URL");
  } else if (!url->has_port() || url->port().empty()) {
    violations.add(path.field("url"), "port has to be explicitly specified");
  }
}

void validate_tracing(const pb::Tracing& tracing, Violations& violations) {
  const FieldPath path("tracing");
  std::set<std::string> names;
  for (int i = 0; i < tracing.backends_size(); ++i) {
    const pb::TracingBackend& backend = tracing.backends(i);
    const FieldPath at = path.field("backends").index(static_cast<size_t>(i));
    if (backend.name().empty()) {
      violations.add(at.field("name"), "cannot be empty");
    }
    if (backend.has_sampling() && (backend.sampling().value() < 0 || backend.sampling().value() > 100)) {
      violations.add(at.field("sampling"), "has to be in [0.0 - 100.0] range");
    }
    const FieldPath config = at.field("config");
    if (backend.type() == "zipkin") {
      pb::ZipkinTracingBackendConfig conf;
      if (read_conf(backend.conf(), config, conf, violations)) {
        validate_zipkin(conf, config, violations);
      }
    } else if (backend.type() == "datadog") {
      pb::DatadogTracingBackendConfig conf;
      if (read_conf(backend.conf(), config, conf, violations)) {
        if (conf.address().empty()) {
          violations.add(config.field("address"), "cannot be empty");
        }
        validate_port(config.field("port"), conf.port(), violations);
      }
    } else {
      violations.add(at.field("type"), "unknown backend type. Available backends: \"zipkin\", \"datadog\"");
    }
    if (!names.insert(backend.name()).second) {
      violations.add(at.field("name"), "\"{}\" name is already used for another backend", backend.name());
    }
  }
  if (!tracing.defaultbackend().empty() && !names.contains(tracing.defaultbackend())) {
    violations.add(path.field("defaultBackend"), "has to be set to one of the tracing backend in mesh");
  }
}

void validate_metrics(const pb::Metrics& metrics, Violations& violations) {
  const FieldPath path("metrics");
  std::set<std::string> names;
  for (int i = 0; i < metrics.backends_size(); ++i) {
    const pb::MetricsBackend& backend = metrics.backends(i);
    const FieldPath at = path.field("backends").index(static_cast<size_t>(i));
    if (!names.insert(backend.name()).second) {
      violations.add(at.field("name"), "\"{}\" name is already used for another backend", backend.name());
    }
    validate_metrics_backend(backend, at, violations);
  }
  if (!metrics.enabledbackend().empty() && !names.contains(metrics.enabledbackend())) {
    violations.add(path.field("enabledBackend"), "has to be set to one of the backends in the mesh");
  }
}

template <typename Rules>
void validate_constraints(const Rules& rules, const FieldPath& path, Violations& violations) {
  for (int i = 0; i < rules.size(); ++i) {
    validate_tags(path.index(static_cast<size_t>(i)).field("tags"), rules[i].tags(), {.selector = true, .at_least_one = true}, violations);
  }
}

}  // namespace

void validate_metrics_backend(const pb::MetricsBackend& backend, const FieldPath& path, Violations& violations) {
  if (backend.type() != "prometheus") {
    violations.add(path.field("type"), "unknown backend type. Available backends: \"prometheus\"");
    return;
  }
  const FieldPath at = path.field("conf");
  pb::PrometheusMetricsBackendConfig conf;
  if (!read_conf(backend.conf(), at, conf, violations)) {
    return;
  }
  if (conf.has_skipmtls() && conf.has_tls()) {
    const pb::PrometheusTlsConfig::Mode same = conf.skipmtls().value() ? pb::PrometheusTlsConfig::disabled : pb::PrometheusTlsConfig::activeMTLSBackend;
    if (conf.tls().mode() != same) {
      violations.add(at, "skipMTLS and tls configuration cannot be defined together");
    }
  }
  if (!conf.envoy().filterregex().empty()) {
    if (const absl::Status status = check_regex(conf.envoy().filterregex()); !status.ok()) {
      violations.add(at.field("envoy").field("filterRegex"), "provided regexp isn't correct: {}", message_of(status));
      return;  // as the reference does
    }
  }
  std::set<std::string> names;
  for (int i = 0; i < conf.aggregate_size(); ++i) {
    if (!names.insert(conf.aggregate(i).name()).second) {
      violations.add(at.field("aggregate").index(static_cast<size_t>(i)).field("name"), "duplicate entry: {}, values have to be unique", conf.aggregate(i).name());
    }
  }
}

void validate_mesh(const Resource& resource, Violations& violations) {
  const auto& mesh = resource.as<pb::Mesh>();
  validate_mtls(mesh.mtls(), violations);
  validate_logging(mesh.logging(), violations);
  validate_tracing(mesh.tracing(), violations);
  validate_metrics(mesh.metrics(), violations);
  const FieldPath constraints = FieldPath("constraints").field("dataplaneProxy");
  validate_constraints(mesh.constraints().dataplaneproxy().requirements(), constraints.field("requirements"), violations);
  validate_constraints(mesh.constraints().dataplaneproxy().restrictions(), constraints.field("restrictions"), violations);
  if (mesh.routing().zoneegress() && mesh.mtls().enabledbackend().empty()) {
    violations.add(FieldPath("mtls"), "has to be set when zoneEgress enabled");
  }
}

}  // namespace kuma::model
