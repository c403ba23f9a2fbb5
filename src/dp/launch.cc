#include "dp/launch.h"

#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <ostream>
#include <set>

#include "base/json.h"
#include "base/mustache.h"
#include "base/status.h"
#include "dp/process.h"
#include "dp/token.h"
#include "fmt/ranges.h"

namespace kuma::dp {
namespace {

constexpr size_t kSocketPathMax = 98;

bool is_executable(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

ProgramSearch search_of(const World& world) {
  return {.path_variable = world.env("PATH").value_or(""),
          .working_directory = world.working_directory,
          .own_directory = world.own_directory,
          .is_executable = is_executable};
}

absl::StatusOr<std::string> read_template(const Settings& settings) {
  if (settings.resource_path.empty()) {
    return settings.resource;
  }
  auto content = settings.resource_path == "-" ? read_standard_input() : read_file(settings.resource_path);
  return content.ok() ? content : annotate(content.status(), "error while reading provided file");
}

// Reads the template, if there is one, and takes mesh and name from it.
absl::StatusOr<std::string> load_resource(Settings& settings, const World& world, Log& log) {
  KUMA_ASSIGN_OR_RETURN(const std::string text, read_template(settings));
  if (text.empty()) {
    // A template was announced but has nothing in it: then mesh and name are needed after all.
    Settings without = settings;
    without.resource.clear();
    without.resource_path.clear();
    KUMA_RETURN_IF_ERROR(validate(without));
    return "";
  }
  std::set<std::string> without_value;
  KUMA_ASSIGN_OR_RETURN(const std::string rendered, render_mustache(text, settings.resource_vars, &without_value));
  if (!without_value.empty()) {
    log.info("run", fmt::format("[WARNING] the template has variables without a value, give them with --dataplane-var: {}", fmt::join(without_value, ", ")));
  }
  log.info("run", "rendered resource", {{"resource", rendered}});
  KUMA_ASSIGN_OR_RETURN(const ProxyResource resource, parse_proxy_resource(rendered));
  if (!resource.warning.empty()) {
    world.err << resource.warning << "\n";
  }
  KUMA_ASSIGN_OR_RETURN(const std::string_view expected, resource_type_of(settings.proxy_type));
  if (resource.type != expected) {
    return absl::InvalidArgumentError(
        fmt::format("invalid proxy resource type \"{}\", expected {}", resource.type, expected));
  }
  if (!settings.name.empty() || !settings.mesh.empty()) {
    return absl::InvalidArgumentError(
        "--name and --mesh cannot be specified when a dataplane definition is provided, mesh and name will be read "
        "from the "
        "dataplane definition");
  }
  settings.name = resource.name;
  settings.mesh = resource.mesh;
  return resource.json;
}

absl::StatusOr<TempDir> fill_directories(Settings& settings, const World& world) {
  TempDir temp_dir;
  if (settings.config_dir.empty() || settings.dns_config_dir.empty()) {
    const std::string parent = world.env("TMPDIR").value_or("");
    KUMA_ASSIGN_OR_RETURN(temp_dir, TempDir::make(parent.empty() ? "/tmp" : parent));
    for (std::string* directory : {&settings.config_dir, &settings.socket_dir, &settings.dns_config_dir}) {
      *directory = directory->empty() ? temp_dir.path() : *directory;
    }
  }
  return temp_dir;
}

absl::Status load_ca(Settings& settings, Log& log) {
  if (settings.ca_cert.empty() && !settings.ca_cert_file.empty()) {
    auto content = read_file(settings.ca_cert_file);
    if (!content.ok()) {
      return annotate(content.status(), "could not read certificate file {}", settings.ca_cert_file);
    }
    settings.ca_cert = *std::move(content);
  }
  if (settings.ca_cert.empty() && settings.cp_address.starts_with("https://")) {
    log.info("run",
             "[WARNING] The data plane proxy cannot verify the identity of the control plane because you are not "
             "setting the "
             "\"--ca-cert-file\" argument or setting the KUMA_CONTROL_PLANE_CA_CERT environment variable.");
  }
  return absl::OkStatus();
}

// Leaves the token in a file, where Envoy may read it, and returns it.
absl::StatusOr<std::string> load_token(Settings& settings) {
  if (!settings.token.empty()) {
    if (settings.name.find('/') != std::string::npos) {
      return absl::InvalidArgumentError(fmt::format("the name \"{}\" cannot be a file's name", settings.name));
    }
    settings.token_path = fmt::format("{}/{}", settings.config_dir, settings.name);
    KUMA_RETURN_IF_ERROR(write_private_file(settings.token_path, settings.token));
  }
  if (settings.token_path.empty()) {
    return "";
  }
  KUMA_RETURN_IF_ERROR(check_token_file(settings.token_path));
  KUMA_ASSIGN_OR_RETURN(std::string token, read_file(settings.token_path));
  constexpr std::string_view kBlank = " \t\r\n";
  token.erase(token.find_last_not_of(kBlank) + 1);
  token.erase(0, token.find_first_not_of(kBlank));
  return token;
}

absl::StatusOr<EnvoyVersion> ask_version(const std::string& path, const World& world, Log& log) {
  KUMA_ASSIGN_OR_RETURN(const std::string output, run_and_capture(world.clock, path, {"--version"}));
  KUMA_ASSIGN_OR_RETURN(EnvoyVersion version, parse_envoy_version(output));
  if (!version.compatible) {
    log.info("run", "Envoy version incompatible", {{"expected", kEnvoyVersions}, {"current", version.version}});
  }
  return version;
}

void warn_about_dns(const Settings& settings, Log& log) {
  if (settings.dns_enabled && settings.proxy_type == "dataplane" && !settings.dns_config_template_path.empty()) {
    log.info("run",
             "[WARNING] --dns-coredns-config-template-path has no effect: kuma-dp serves DNS itself, without CoreDNS; names "
             "that are not the mesh's are asked of the name servers in /etc/resolv.conf");
  }
}

BootstrapRequest make_request(const Settings& settings) {
  return {.mesh = settings.mesh,
          .name = settings.name,
          .proxy_type = settings.proxy_type,
          .token = "",
          .token_path = settings.token_path,
          .resource = "",
          .envoy = {},
          .ca_cert = settings.ca_cert,
          .dynamic_metadata = {},
          .dns_port = settings.dns_envoy_port,
          .readiness_port = settings.readiness_port,
          .dns_empty_port = settings.dns_empty_port,
          .memory_bytes_max = settings.memory_bytes_max,
          .access_log_path = socket_path(settings.socket_dir, "al", settings.name, settings.mesh),
          .metrics_path = socket_path(settings.socket_dir, "mh", settings.name, settings.mesh),
          .metrics_cert_path = settings.metrics_cert_path,
          .metrics_key_path = settings.metrics_key_path};
}

}  // namespace

absl::StatusOr<Plan> make_plan(Settings flags, std::string_view log_level, const World& world, Log& log) {
  Plan plan{.settings = std::move(flags), .resource = ""};
  KUMA_RETURN_IF_ERROR(apply_environment(world.env, plan.settings));
  apply_pod_name(world.env, plan.settings);
  KUMA_RETURN_IF_ERROR(validate(plan.settings));
  log.info("run", "effective configuration", {{"config", kuma::to_json(json::value(to_json_object(plan.settings)))}});
  if (plan.settings.envoy_log_level.empty()) {
    plan.settings.envoy_log_level = log_level;
  }
  KUMA_ASSIGN_OR_RETURN(plan.resource, load_resource(plan.settings, world, log));
  KUMA_RETURN_IF_ERROR(bootstrap_url(plan.settings.cp_address).status());
  return plan;
}

absl::StatusOr<Launch> prepare_launch(Plan plan, const World& world, Log& log) {
  Settings& settings = plan.settings;
  Launch launch;
  KUMA_ASSIGN_OR_RETURN(launch.temp_dir, fill_directories(settings, world));
  KUMA_RETURN_IF_ERROR(load_ca(settings, log));
  KUMA_ASSIGN_OR_RETURN(std::string token, load_token(settings));
  warn_about_dns(settings, log);

  auto path = find_program(settings.binary_path, "envoy", search_of(world));
  if (!path.ok()) {
    return annotate(path.status(), "failed to get Envoy version");
  }
  auto version = ask_version(*path, world, log);
  if (!version.ok()) {
    return annotate(version.status(), "failed to get Envoy version");
  }
  launch.envoy_path = *std::move(path);
  if (settings.memory_bytes_max == 0) {
    settings.memory_bytes_max = cgroup_memory_limit("/sys/fs/cgroup");
  }
  launch.request = make_request(settings);
  launch.request.token = std::move(token);
  launch.request.resource = std::move(plan.resource);
  launch.request.envoy = *std::move(version);
  launch.settings = std::move(settings);
  return launch;
}

std::string socket_path(const std::string& dir, std::string_view kind, const std::string& name,
                        const std::string& mesh) {
  std::string path = fmt::format("{}{}kuma-{}-{}-{}", dir, dir.empty() ? "" : "/", kind, name, mesh);
  if (path.size() > kSocketPathMax) {
    path.resize(kSocketPathMax);
  }
  return path + ".sock";
}

uint64_t cgroup_memory_limit(const std::string& root) {
  // The first is there with cgroup v2 and in mixed set-ups, the second with v1.
  for (const std::string_view file : {"memory.max", "memory.limit_in_bytes"}) {
    const auto content = read_file(fmt::format("{}/{}", root, file));
    if (!content.ok()) {
      continue;
    }
    const std::string_view text = std::string_view(*content).substr(0, content->find_first_of(" \n"));
    uint64_t limit = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    return error == std::errc() && end == text.data() + text.size() ? limit : 0;
  }
  return 0;
}

}  // namespace kuma::dp
