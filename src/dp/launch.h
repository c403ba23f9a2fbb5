#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "dp/bootstrap.h"
#include "dp/files.h"
#include "dp/log.h"
#include "dp/proxy_resource.h"
#include "dp/settings.h"
#include "dp/world.h"

namespace kuma::dp {

// What kuma-dp is to run: flags, environment and template put together. Each error is the one line that the user gets
// after `Error: `.
struct Plan {
  Settings settings;     // complete but for directories, token and CA; mesh and name are those of the template
  std::string resource;  // the template's content in REST form, JSON; empty without one
};
// May read standard input.
absl::StatusOr<Plan> make_plan(Settings flags, std::string_view log_level, const World& world, Log& log);

// All that can be found out on this machine before the control plane is asked.
struct Launch {
  Settings settings;  // complete
  TempDir temp_dir;   // if one was needed; everything in it goes with this
  std::string envoy_path;
  BootstrapRequest request;
};
// Looks at the token and the CA, makes directories, finds Envoy and asks for its version.
absl::StatusOr<Launch> prepare_launch(Plan plan, const World& world, Log& log);

// `<dir>/kuma-<kind>-<name>-<mesh>.sock`, short enough for a socket's path: 98 bytes and the suffix.
std::string socket_path(const std::string& dir, std::string_view kind, const std::string& name,
                        const std::string& mesh);

// The memory that this process' cgroup may use, 0 if there is no limit or none can be read. `root` is "/sys/fs/cgroup".
uint64_t cgroup_memory_limit(const std::string& root);

}  // namespace kuma::dp
