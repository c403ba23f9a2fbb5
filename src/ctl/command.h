#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "ctl/api_client.h"
#include "ctl/environment.h"

namespace kuma::ctl {

// What all commands of one run share: the global flags, and what is made of them when a command asks.
struct Invocation {
  const Environment& environment;
  std::string config_file;  // resolved from --config-file and $HOME
  bool no_config = false;
  std::string log_level = "off";
  std::string api_timeout = "1m0s";

  absl::StatusOr<Configuration> configuration() const;
  absl::Status save(const Configuration& configuration) const;
  // A client of the current control plane, whose version has been checked.
  absl::StatusOr<ApiClient> client() const;
  absl::StatusOr<std::chrono::nanoseconds> timeout() const;
};

// A leaf of the command tree. `add` functions (below) make these; run() finds the one that was named and calls it.
struct Command {
  CLI::App* app = nullptr;
  std::function<absl::Status()> action;
  size_t positionals = 0;               // exactly so many
  std::vector<std::string> required;    // flags that have to be set, by long name without dashes
  std::vector<std::string> arguments{};  // filled by the parser
};

// The tree while it is built. Commands are kept until run() ends, so actions may refer to their own flags.
class CommandTree {
 public:
  CommandTree(CLI::App& root, Invocation& invocation) : root_(root), invocation_(invocation) {}

  CLI::App& root() { return root_; }
  Invocation& invocation() { return invocation_; }
  CLI::App& group(CLI::App& parent, const std::string& name, const std::string& description);
  // `positionals` arguments, available as Command::arguments when `action` runs.
  Command& leaf(CLI::App& parent, const std::string& name, const std::string& description, size_t positionals = 0);
  const std::vector<std::unique_ptr<Command>>& commands() const { return commands_; }

 private:
  CLI::App& root_;
  Invocation& invocation_;
  std::vector<std::unique_ptr<Command>> commands_;
};

void add_apply(CommandTree& tree);
void add_explain(CommandTree& tree);
void add_get(CommandTree& tree);
void add_delete(CommandTree& tree);
void add_inspect(CommandTree& tree);
void add_install(CommandTree& tree);  // and uninstall
void add_generate(CommandTree& tree);
void add_config(CommandTree& tree);
void add_version(CommandTree& tree);

// `k=v` arguments: one `=` is one pair whose value may have commas; with several it is a comma-separated list of pairs.
// InvalidArgument `invalid argument "x" for "--tag" flag: x must be formatted as key=value`.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> parse_pairs(std::string_view flag,
                                                                             const std::vector<std::string>& arguments);

// What `-o` says. InvalidArgument `unknown output format "foo"`.
enum class OutputFormat { Table, Yaml, Json };
absl::StatusOr<OutputFormat> parse_output_format(const std::string& text);

}  // namespace kuma::ctl
