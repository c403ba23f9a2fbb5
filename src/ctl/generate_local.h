#pragma once

#include <chrono>
#include <string>

#include "absl/status/statusor.h"
#include "ctl/command.h"

namespace kuma::ctl {

// Commands that need no control plane: `generate tls-certificate`, `signing-key`, `public-key`.
void add_generate_local(CommandTree& tree, CLI::App& group);

// An RS256 token with `claims` and the registered ones, signed with the RSA key in a PEM file.
absl::StatusOr<std::string> sign_locally(const std::string& key_file, const std::string& kid, const json::object& claims,
                                         std::chrono::nanoseconds valid_for, const Clock& clock);

}  // namespace kuma::ctl
