#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kuma::dp {

// A script that completes commands and flags in `shell` (bash, zsh, fish, powershell); nothing for any other word.
std::optional<std::string> completion_script(std::string_view shell);

}  // namespace kuma::dp
