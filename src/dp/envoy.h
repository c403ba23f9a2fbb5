#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kuma::dp {

// What is known of the Envoy program, and how it is called. Pure: looking at the disk and running it are passed in.

struct EnvoyVersion {
  std::string build;    // as it says itself: <sha>/1.40.0/Clean/RELEASE/BoringSSL
  std::string version;  // 1.40.0
  bool compatible = false;
};

// The range of versions that this kuma-dp is tested with; others are started too, with a line in the log.
inline constexpr std::string_view kEnvoyVersions = ">=1.28.7 <1.41.0";

// From the output of `envoy --version`. InvalidArgument `wrong Envoy build format: …`.
absl::StatusOr<EnvoyVersion> parse_envoy_version(std::string_view output);

// Where a program may be: at the configured path (looked for on PATH when it has no slash); then under its usual `name`
// in the working directory and beside our own executable. The error names the places in that order.
struct ProgramSearch {
  std::string path_variable;  // $PATH
  std::string working_directory;
  std::string own_directory;  // of the kuma-dp executable
  std::function<bool(const std::string&)> is_executable;
};
absl::StatusOr<std::string> find_program(const std::string& configured, std::string_view name,
                                         const ProgramSearch& search);

struct EnvoyArguments {
  std::string config_path;
  int64_t drain_seconds = 0;
  std::string log_level;
  std::string component_log_level;
  uint32_t concurrency = 0;
};
std::vector<std::string> envoy_arguments(const EnvoyArguments& arguments);

}  // namespace kuma::dp
