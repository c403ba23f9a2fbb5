#include "dp/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <vector>

#include "base/status.h"
#include "base/text.h"

namespace kuma::dp {
namespace {

using S = Settings;

constexpr std::array kTable = {
    Setting{"cp-address", "", "KUMA_CONTROL_PLANE_URL", "CONTROLPLANE", "URL", "where the control plane serves proxies",
            &S::cp_address},
    Setting{"", "", "KUMA_CONTROL_PLANE_CA_CERT", "CONTROLPLANE", "CaCert",
            "certificate authority of the control plane, PEM", &S::ca_cert},
    Setting{"ca-cert-file", "", "KUMA_CONTROL_PLANE_CA_CERT_FILE", "CONTROLPLANE", "CaCertFile",
            "file with the certificate authority of the control plane, PEM", &S::ca_cert_file},
    Setting{"", "", "KUMA_CONTROL_PLANE_RETRY_BACKOFF", "CONTROLPLANE_RETRY", "Backoff",
            "pause between attempts to reach the control plane", &S::retry_backoff},
    Setting{"", "", "KUMA_CONTROL_PLANE_RETRY_MAX_DURATION", "CONTROLPLANE_RETRY", "MaxDuration",
            "how long to keep trying", &S::retry_duration_max},
    Setting{"name", "", "KUMA_DATAPLANE_NAME", "DATAPLANE", "Name", "name of the proxy", &S::name},
    Setting{"mesh", "", "KUMA_DATAPLANE_MESH", "DATAPLANE", "Mesh", "mesh that the proxy belongs to", &S::mesh},
    Setting{"proxy-type", "", "KUMA_DATAPLANE_PROXY_TYPE", "DATAPLANE", "ProxyType", "dataplane, ingress or egress",
            &S::proxy_type},
    Setting{"drain-time", "", "KUMA_DATAPLANE_DRAIN_TIME", "DATAPLANE", "DrainTime",
            "how long connections may go on after the first signal to stop", &S::drain_time},
    Setting{"", "", "KUMA_READINESS_PORT", "DATAPLANE", "ReadinessPort", "port of the readiness reporter, 0 for none",
            &S::readiness_port},
    Setting{"binary-path", "", "KUMA_DATAPLANE_RUNTIME_BINARY_PATH", "DATAPLANERUNTIME", "BinaryPath",
            "the Envoy program", &S::binary_path},
    Setting{"config-dir", "", "KUMA_DATAPLANE_RUNTIME_CONFIG_DIR", "DATAPLANERUNTIME", "ConfigDir",
            "directory for Envoy's bootstrap configuration, a temporary one if not given", &S::config_dir},
    Setting{"", "", "KUMA_DATAPLANE_RUNTIME_SOCKET_DIR", "DATAPLANERUNTIME", "SocketDir",
            "directory for sockets, a temporary one if not given", &S::socket_dir},
    Setting{"concurrency", "", "KUMA_DATAPLANE_RUNTIME_CONCURRENCY", "DATAPLANERUNTIME", "Concurrency",
            "number of Envoy's worker threads, 0 for as many as there are processors to use", &S::concurrency},
    Setting{"dataplane-token-file", "", "KUMA_DATAPLANE_RUNTIME_TOKEN_PATH", "DATAPLANERUNTIME", "TokenPath",
            "file with the token that identifies the proxy (kumactl generate dataplane-token)", &S::token_path},
    Setting{"dataplane-token", "", "KUMA_DATAPLANE_RUNTIME_TOKEN", "DATAPLANERUNTIME", "Token", "the token itself",
            &S::token},
    Setting{"dataplane", "", "KUMA_DATAPLANE_RUNTIME_RESOURCE", "DATAPLANERUNTIME", "Resource",
            "template of the Dataplane, ZoneIngress or ZoneEgress, YAML or JSON", &S::resource},
    Setting{"dataplane-file", "d", "KUMA_DATAPLANE_RUNTIME_RESOURCE_PATH", "DATAPLANERUNTIME", "ResourcePath",
            "file with that template, - for standard input", &S::resource_path},
    Setting{"envoy-log-level", "", "KUMA_DATAPLANE_RUNTIME_ENVOY_LOG_LEVEL", "DATAPLANERUNTIME", "EnvoyLogLevel",
            "Envoy's log level: trace, debug, info, warning, error, critical or off; --log-level if not given",
            &S::envoy_log_level},
    Setting{"envoy-component-log-level", "", "KUMA_DATAPLANE_RUNTIME_ENVOY_COMPONENT_LOG_LEVEL", "DATAPLANERUNTIME",
            "EnvoyComponentLogLevel", "log levels of Envoy's components, as Envoy takes them",
            &S::envoy_component_log_level},
    Setting{"", "", "KUMA_DATAPLANE_RESOURCES_MAX_MEMORY_BYTES", "DATAPLANERUNTIME_RESOURCES", "MaxMemoryBytes",
            "memory that Envoy may use, 0 for the limit of the cgroup", &S::memory_bytes_max},
    Setting{"metrics-cert-path", "", "KUMA_DATAPLANE_RUNTIME_METRICS_CERT_PATH", "DATAPLANERUNTIME_METRICS", "CertPath",
            "certificate of the metrics listener", &S::metrics_cert_path},
    Setting{"metrics-key-path", "", "KUMA_DATAPLANE_RUNTIME_METRICS_KEY_PATH", "DATAPLANERUNTIME_METRICS", "KeyPath",
            "key of the metrics listener", &S::metrics_key_path},
    Setting{"dns-enabled", "", "KUMA_DNS_ENABLED", "DNS", "Enabled", "whether to serve DNS to the application",
            &S::dns_enabled},
    Setting{"dns-coredns-port", "", "KUMA_DNS_CORE_DNS_PORT", "DNS", "CoreDNSPort",
            "port of the DNS server that port 53 is redirected to", &S::dns_port},
    Setting{"dns-envoy-port", "", "KUMA_DNS_ENVOY_DNS_PORT", "DNS", "EnvoyDNSPort", "port of Envoy's DNS listener",
            &S::dns_envoy_port},
    Setting{"dns-coredns-empty-port", "", "KUMA_DNS_CORE_DNS_EMPTY_PORT", "DNS", "CoreDNSEmptyPort",
            "port of the DNS server that knows no name", &S::dns_empty_port},
    Setting{"dns-prometheus-port", "", "KUMA_DNS_PROMETHEUS_PORT", "DNS", "PrometheusPort",
            "port of the DNS server's metrics", &S::dns_prometheus_port},
    Setting{"dns-coredns-path", "", "KUMA_DNS_CORE_DNS_BINARY_PATH", "DNS", "CoreDNSBinaryPath", "a CoreDNS program",
            &S::dns_binary_path},
    Setting{"dns-coredns-config-template-path", "", "KUMA_DNS_CORE_DNS_CONFIG_TEMPLATE_PATH", "DNS",
            "CoreDNSConfigTemplatePath", "template of its configuration", &S::dns_config_template_path},
    Setting{"dns-server-config-dir", "", "KUMA_DNS_CONFIG_DIR", "DNS", "ConfigDir",
            "directory for its configuration, a temporary one if not given", &S::dns_config_dir},
};

template <typename T>
absl::Status assign_number(std::string_view text, T& out) {
  int base = 10;
  std::string_view digits = text;
  if (digits.starts_with("0x") || digits.starts_with("0X")) {
    base = 16;
    digits.remove_prefix(2);
  }
  T value{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  const bool whole = end == digits.data() + digits.size() && !digits.empty();
  if (error == std::errc::result_out_of_range && whole) {
    return absl::InvalidArgumentError(fmt::format("strconv.ParseUint: parsing \"{}\": value out of range", text));
  }
  if (error != std::errc() || !whole) {
    return absl::InvalidArgumentError(fmt::format("strconv.ParseUint: parsing \"{}\": invalid syntax", text));
  }
  out = value;
  return absl::OkStatus();
}

absl::Status assign_text(std::string_view text, std::string& out) {
  out = text;
  return absl::OkStatus();
}

absl::Status assign_duration(std::string_view text, std::chrono::nanoseconds& out) {
  KUMA_ASSIGN_OR_RETURN(out, parse_go_duration(text));
  return absl::OkStatus();
}

absl::Status assign_bool(std::string_view text, bool& out) {
  constexpr std::array<std::string_view, 6> yes = {"1", "t", "T", "TRUE", "true", "True"};
  constexpr std::array<std::string_view, 6> no = {"0", "f", "F", "FALSE", "false", "False"};
  const bool is_yes = std::find(yes.begin(), yes.end(), text) != yes.end();
  if (!is_yes && std::find(no.begin(), no.end(), text) == no.end()) {
    return absl::InvalidArgumentError(fmt::format("strconv.ParseBool: parsing \"{}\": invalid syntax", text));
  }
  out = is_yes;
  return absl::OkStatus();
}

struct Assign {
  std::string_view text;
  Settings& settings;

  absl::Status operator()(std::string S::*member) const { return assign_text(text, settings.*member); }
  absl::Status operator()(std::chrono::nanoseconds S::*member) const { return assign_duration(text, settings.*member); }
  absl::Status operator()(uint32_t S::*member) const { return assign_number(text, settings.*member); }
  absl::Status operator()(uint64_t S::*member) const { return assign_number(text, settings.*member); }
  absl::Status operator()(bool S::*member) const { return assign_bool(text, settings.*member); }
};

std::string_view type_name(const Setting& setting) {
  constexpr std::array<std::string_view, 5> names = {"string", "types.Duration", "uint32", "uint64", "bool"};
  return names[setting.member.index()];
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

}  // namespace

std::span<const Setting> settings_table() { return kTable; }

absl::Status assign(const Setting& setting, std::string_view text, Settings& settings) {
  return std::visit(Assign{text, settings}, setting.member);
}

absl::Status apply_environment(const GetEnv& env, Settings& settings) {
  for (const Setting& setting : kTable) {
    if (setting.env.empty()) {
      continue;
    }
    // The longer name, with the group in front, is accepted too and comes first.
    const std::string key = upper(fmt::format("{}_{}", setting.group, setting.env));
    std::optional<std::string> value = env(key);
    if (!value) {
      value = env(setting.env);
    }
    if (!value) {
      continue;
    }
    if (const absl::Status status = assign(setting, *value, settings); !status.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("envconfig.Process: assigning {} to {}: converting '{}' to type {}. details: {}", key,
                      setting.field, *value, type_name(setting), message_of(status)));
    }
  }
  return absl::OkStatus();
}

void apply_pod_name(const GetEnv& env, Settings& settings) {
  if (!settings.name.empty() && settings.name.find_first_of("$(){}") == std::string::npos) {
    return;
  }
  const std::optional<std::string> pod = env("POD_NAME");
  const std::optional<std::string> pod_namespace = env("POD_NAMESPACE");
  if (pod && pod_namespace && !pod->empty() && !pod_namespace->empty()) {
    settings.name = fmt::format("{}.{}", *pod, *pod_namespace);
  }
}

json::object to_json_object(const Settings& settings) {
  const auto with = [](json::object& object, std::string_view name, const std::string& value) {
    if (!value.empty()) {
      object[name] = value;
    }
  };
  json::object control_plane{{"url", settings.cp_address},
                             {"retry",
                              {{"backoff", format_go_duration(settings.retry_backoff)},
                               {"maxDuration", format_go_duration(settings.retry_duration_max)}}},
                             {"caCert", settings.ca_cert},
                             {"caCertFile", settings.ca_cert_file}};
  json::object dataplane;
  with(dataplane, "mesh", settings.mesh);
  with(dataplane, "name", settings.name);
  with(dataplane, "proxyType", settings.proxy_type);
  dataplane["drainTime"] = format_go_duration(settings.drain_time);
  dataplane["readinessPort"] = settings.readiness_port;

  json::object runtime;
  with(runtime, "binaryPath", settings.binary_path);
  with(runtime, "configDir", settings.config_dir);
  if (settings.concurrency > 0) {
    runtime["concurrency"] = settings.concurrency;
  }
  with(runtime, "dataplaneTokenPath", settings.token_path);
  with(runtime, "dataplaneToken", settings.token.empty() ? "" : "*****");
  with(runtime, "resource", settings.resource);
  with(runtime, "resourcePath", settings.resource_path);
  if (!settings.resource_vars.empty()) {
    json::object vars;
    for (const auto& [name, value] : settings.resource_vars) {
      vars[name] = value;
    }
    runtime["resourceVars"] = std::move(vars);
  }
  with(runtime, "envoyLogLevel", settings.envoy_log_level);
  with(runtime, "envoyComponentLogLevel", settings.envoy_component_log_level);
  json::object resources;
  if (settings.memory_bytes_max > 0) {
    resources["maxMemoryBytes"] = settings.memory_bytes_max;
  }
  runtime["resources"] = std::move(resources);
  with(runtime, "socketDir", settings.socket_dir);
  json::object metrics;
  with(metrics, "metricsCertPath", settings.metrics_cert_path);
  with(metrics, "metricsKeyPath", settings.metrics_key_path);
  runtime["metrics"] = std::move(metrics);

  json::object dns;
  if (settings.dns_enabled) {
    dns["enabled"] = true;
  }
  dns["coreDnsPort"] = settings.dns_port;
  dns["coreDnsEmptyPort"] = settings.dns_empty_port;
  dns["envoyDnsPort"] = settings.dns_envoy_port;
  with(dns, "coreDnsBinaryPath", settings.dns_binary_path);
  with(dns, "coreDnsConfigTemplatePath", settings.dns_config_template_path);
  with(dns, "configDir", settings.dns_config_dir);
  dns["prometheusPort"] = settings.dns_prometheus_port;

  return {{"controlPlane", std::move(control_plane)},
          {"dataplane", std::move(dataplane)},
          {"dataplaneRuntime", std::move(runtime)},
          {"dns", std::move(dns)}};
}

}  // namespace kuma::dp
