#include "dp/envoy.h"

#include <array>
#include <charconv>
#include <optional>

#include "base/status.h"

namespace kuma::dp {
namespace {

using Version = std::array<int, 3>;
constexpr Version kLowest = {1, 28, 7};
constexpr Version kBeyond = {1, 41, 0};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(end + 1);
  }
}

// 1.40.0 or 1.40.0-dev.
std::optional<Version> parse_version(std::string_view text) {
  const auto parts = split(text.substr(0, text.find('-')), '.');
  Version version{};
  if (parts.size() != version.size()) {
    return std::nullopt;
  }
  for (size_t i = 0; i < version.size(); ++i) {
    const char* const end = parts[i].data() + parts[i].size();
    if (const auto [rest, error] = std::from_chars(parts[i].data(), end, version[i]);
        error != std::errc() || rest != end) {
      return std::nullopt;
    }
  }
  return version;
}

}  // namespace

absl::StatusOr<EnvoyVersion> parse_envoy_version(std::string_view output) {
  constexpr std::string_view kLabel = "version:";
  const size_t label = output.find(kLabel);
  std::string_view build = label == std::string_view::npos ? output : output.substr(label + kLabel.size());
  while (!build.empty() && build.front() == ' ') {
    build.remove_prefix(1);
  }
  build = build.substr(0, build.find_first_of("\r\n"));
  const auto parts = split(build, '/');
  if (label == std::string_view::npos || parts.size() != 5) {
    return absl::InvalidArgumentError(fmt::format("wrong Envoy build format: {}", build));
  }
  const auto version = parse_version(parts[1]);
  return EnvoyVersion{.build = std::string(build),
                      .version = std::string(parts[1]),
                      .compatible = version && *version >= kLowest && *version < kBeyond};
}

absl::StatusOr<std::string> find_program(const std::string& configured, std::string_view name,
                                         const ProgramSearch& search) {
  if (configured.find('/') == std::string::npos) {
    for (const std::string_view directory : split(search.path_variable, ':')) {
      const std::string path = fmt::format("{}/{}", directory.empty() ? "." : directory, configured);
      if (search.is_executable(path)) {
        return path;
      }
    }
  } else if (search.is_executable(configured)) {
    return configured;
  }
  const std::string in_working = fmt::format("{}/{}", search.working_directory, name);
  const std::string beside_us = fmt::format("{}/{}", search.own_directory, name);
  for (const std::string& path : {in_working, beside_us}) {
    if (search.is_executable(path)) {
      return path;
    }
  }
  return absl::NotFoundError(fmt::format("could not find executable binary in any of the following paths: [{} {} {}]",
                                         configured, in_working, beside_us));
}

std::vector<std::string> envoy_arguments(const EnvoyArguments& arguments) {
  std::vector<std::string> out = {
      "--config-path",         arguments.config_path, "--drain-time-s",   std::to_string(arguments.drain_seconds),
      "--disable-hot-restart", "--log-level",         arguments.log_level};
  if (!arguments.component_log_level.empty()) {
    out.insert(out.end(), {"--component-log-level", arguments.component_log_level});
  }
  if (arguments.concurrency > 0) {
    out.insert(out.end(), {"--concurrency", std::to_string(arguments.concurrency)});
  } else {
    out.push_back("--cpuset-threads");
  }
  return out;
}

}  // namespace kuma::dp
