#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace kuma {

// What the three programs' command lines (CLI11) have in common.

// The help of a command, whose usage line names the program and every group above: `Usage: kumactl get mesh [OPTIONS]`.
std::string usage_of(const CLI::App& command);

// What is wrong with the first of `extras`, the arguments that no command knows, that looks like a flag: `unknown flag:
// --x`, `unknown shorthand flag: 'x' in -x`.
std::optional<std::string> unknown_flag(const std::vector<std::string>& extras);

// A parser's error in the words that users of the programs know: `flag needs an argument: --name`.
std::string parse_error_text(const CLI::ParseError& error);

// A script that completes the commands and flags of `program` in `shell` (bash, zsh, fish, powershell); nothing for any
// other word. After a command that has no commands below it, files are completed too.
std::optional<std::string> completion_script(std::string_view shell, const CLI::App& program);

}  // namespace kuma
