#include <vector>

#include "base/status.h"
#include "dp/settings.h"

namespace kuma::dp {
namespace {

// The bound that the reference has always had, and tells its users.
constexpr uint32_t kPortMax = 65353;

using Problems = std::vector<std::string>;

std::string join(const Problems& problems) {
  std::string out;
  for (const std::string& problem : problems) {
    out += out.empty() ? "" : "; ";
    out += problem;
  }
  return out;
}

void add_section(Problems& all, std::string_view name, const Problems& problems) {
  if (!problems.empty()) {
    all.push_back(fmt::format(".{} is not valid: {}", name, join(problems)));
  }
}

Problems check_control_plane(const Settings& settings) {
  Problems retry;
  if (settings.retry_backoff <= 0ns) {
    retry.push_back(".Backoff must be a positive duration");
  }
  if (settings.retry_duration_max <= 0ns) {
    retry.push_back(".MaxDuration must be a positive duration");
  }
  Problems problems;
  if (settings.cp_address.empty()) {
    problems.push_back(".URL must be non-empty");
  }
  add_section(problems, "Retry", retry);
  return problems;
}

Problems check_dataplane(const Settings& settings) {
  Problems problems;
  // With a template, name and mesh are read from it, and its type is compared with the proxy type later.
  const bool has_template = !settings.resource.empty() || !settings.resource_path.empty();
  if (!has_template) {
    const bool is_zone_proxy = settings.proxy_type == "ingress" || settings.proxy_type == "egress";
    if (settings.proxy_type != "dataplane" && !is_zone_proxy) {
      problems.push_back(fmt::format(".ProxyType is not valid: {} is not a valid proxy type", settings.proxy_type));
    }
    if (settings.mesh.empty() && !is_zone_proxy) {
      problems.push_back(".Mesh must be non-empty");
    }
    if (settings.name.empty()) {
      problems.push_back(".Name must be non-empty");
    }
    if (settings.readiness_port > kPortMax) {
      problems.push_back(fmt::format(".ReadinessPort has to be in [0, {}] range", kPortMax));
    }
  }
  if (settings.drain_time <= 0ns) {
    problems.push_back(".DrainTime must be positive");
  }
  return problems;
}

Problems check_dns(const Settings& settings) {
  Problems problems;
  if (!settings.dns_enabled) {
    return problems;
  }
  const auto check_port = [&](std::string_view name, uint32_t port) {
    if (port > kPortMax) {
      problems.push_back(fmt::format(".{} has to be in [0, {}] range", name, kPortMax));
    }
  };
  check_port("CoreDNSPort", settings.dns_port);
  check_port("CoreDNSEmptyPort", settings.dns_empty_port);
  check_port("EnvoyDNSPort", settings.dns_envoy_port);
  check_port("PrometheusPort", settings.dns_prometheus_port);
  if (settings.dns_binary_path.empty()) {
    problems.push_back(".CoreDNSBinaryPath cannot be empty");
  }
  return problems;
}

}  // namespace

absl::Status validate(const Settings& settings) {
  Problems all;
  add_section(all, "ControlPlane", check_control_plane(settings));
  add_section(all, "Dataplane", check_dataplane(settings));
  Problems runtime;
  if (settings.binary_path.empty()) {
    runtime.push_back(".BinaryPath must be non-empty");
  }
  add_section(all, "DataplaneRuntime", runtime);
  add_section(all, "DNS", check_dns(settings));
  if (all.empty()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(fmt::format("Invalid configuration: {}", join(all)));
}

}  // namespace kuma::dp
