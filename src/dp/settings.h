#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "base/json.h"

namespace kuma::dp {

using namespace std::chrono_literals;

// What `kuma-dp run` is told, by flags and then by environment variables, which win.
struct Settings {
  std::string cp_address = "https://localhost:5678";
  std::string ca_cert;  // PEM
  std::string ca_cert_file;
  std::chrono::nanoseconds retry_backoff = 3s;
  std::chrono::nanoseconds retry_duration_max = 5min;

  std::string name;
  std::string mesh;
  std::string proxy_type = "dataplane";
  std::chrono::nanoseconds drain_time = 30s;
  uint32_t readiness_port = 9902;  // 0: no reporter

  std::string binary_path = "envoy";
  std::string config_dir;    // empty: a temporary directory
  std::string socket_dir;    // the same
  uint32_t concurrency = 0;  // 0: as many as the process may use
  std::string token_path;
  std::string token;
  std::string resource;
  std::string resource_path;
  std::map<std::string, std::string> resource_vars;
  std::string envoy_log_level;
  std::string envoy_component_log_level;
  uint64_t memory_bytes_max = 0;  // 0: what the cgroup says
  std::string metrics_cert_path;
  std::string metrics_key_path;

  bool dns_enabled = true;
  uint32_t dns_port = 15053;
  uint32_t dns_envoy_port = 15054;
  uint32_t dns_empty_port = 15055;
  uint32_t dns_prometheus_port = 19153;
  std::string dns_binary_path = "coredns";
  std::string dns_config_template_path;
  std::string dns_config_dir;
};

// One setting: where it is given, and which member holds it. One table serves flags, environment and help.
struct Setting {
  std::string_view flag;       // without dashes; empty: environment only
  std::string_view shorthand;  // one letter, or empty
  std::string_view env;        // empty: flag only
  std::string_view group;      // the part of the configuration it belongs to, as messages name it: "CONTROLPLANE_RETRY"
  std::string_view field;      // its name there: "Backoff"
  std::string_view help;
  std::variant<std::string Settings::*, std::chrono::nanoseconds Settings::*, uint32_t Settings::*,
               uint64_t Settings::*, bool Settings::*>
      member;
};
std::span<const Setting> settings_table();

// Sets a member from text. The error says only what is wrong with the text, in the words that users of Go programs
// know: `time: missing unit in duration "5"`, `strconv.ParseUint: parsing "x": invalid syntax`.
absl::Status assign(const Setting& setting, std::string_view text, Settings& settings);

using GetEnv = std::function<std::optional<std::string>(std::string_view name)>;

// Lays the environment over the settings. A variable that is set to nothing counts as set.
absl::Status apply_environment(const GetEnv& env, Settings& settings);

// In a Kubernetes pod that was given no usable name the pod's is taken.
void apply_pod_name(const GetEnv& env, Settings& settings);

// Everything that can be said without looking further: `Invalid configuration: .Dataplane is not valid: …`.
absl::Status validate(const Settings& settings);

// The effective configuration as it is logged at start; the token is masked.
json::object to_json_object(const Settings& settings);

}  // namespace kuma::dp
