#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace kuma::ctl {

// How to reach one control plane.
struct ControlPlane {
  std::string name;
  std::string url;
  std::string ca_cert_file;
  std::string client_cert_file;
  std::string client_key_file;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string auth_type;  // "" or "tokens"
  std::vector<std::pair<std::string, std::string>> auth_conf;

  bool operator==(const ControlPlane&) const = default;
};

struct Context {
  std::string name;
  std::string control_plane;
  std::string default_mesh;  // read and kept, not used
};

// The contents of ~/.kumactl/config.
struct Configuration {
  std::vector<ControlPlane> control_planes;
  std::vector<Context> contexts;
  std::string current_context;

  // One control plane and context `local` at http://localhost:5681.
  static Configuration default_configuration();

  ControlPlane* find_control_plane(std::string_view name);
  // The control plane of the current context; FailedPrecondition with what to do when there is none.
  absl::StatusOr<ControlPlane> current() const;
  // Adds it with a context of its name and makes that current. AlreadyExists unless `overwrite`.
  absl::Status add(ControlPlane control_plane, bool overwrite);
  // NotFound when there is none of that name. The first one left becomes current.
  absl::Status remove(std::string_view name);
  absl::Status switch_to(std::string_view name);
};

std::string to_yaml(const Configuration& configuration);
// Unknown members are refused: a typing error would otherwise be a setting without effect.
absl::StatusOr<Configuration> parse_configuration(std::string_view yaml);

// Reads the file; makes it with the default configuration if it is not there (folder 0755, file 0600).
absl::StatusOr<Configuration> load_or_create(const std::filesystem::path& file);
absl::Status save(const Configuration& configuration, const std::filesystem::path& file);

}  // namespace kuma::ctl
