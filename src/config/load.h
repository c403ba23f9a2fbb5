#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/config.h"

namespace kuma::config {

// Environment variables by name.
using Environment = std::map<std::string, std::string>;

// Those of this process.
Environment process_environment();

struct LoadedConfig {
  Config config;
  // One sentence each, for the log: names in the file and KUMA_ variables that nothing reads, with the nearest known
  // name, and settings that are known but have no effect.
  std::vector<std::string> warnings;
};

// Defaults, then the YAML file (empty: none), then the environment, then what follows from the rest (complete_config),
// then validation. Reads that one file, and HOME among the variables; creates nothing.
//
// Errors: `Failed to access configuration file "F"`, `Failed to parse configuration file "F": line 3, …`,
// `apiServer.http.port: expected a whole number …` (or the variable's name), `Invalid configuration: …`.
absl::StatusOr<LoadedConfig> load_config(const std::string& file, const Environment& environment);

// Fills in what is left empty and follows from other settings: the work dir below `home`, the store's file,
// certificates of servers, the kind of authentication, the bootstrap's port. Doing it twice changes nothing.
void complete_config(Config& config, const std::string& home);

// The configuration as `GET /config` shows it: one line, members sorted, durations as Go writes them, no passwords.
std::string to_sanitized_json(Config config);

}  // namespace kuma::config
