#include "ctl/run.h"

#include <algorithm>

#include "base/cli.h"
#include "base/log.h"
#include "base/nearest.h"
#include "base/status.h"
#include "base/text.h"
#include "ctl/command.h"

namespace kuma::ctl {
namespace {

std::string quoted_list(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    out += fmt::format("{}\"{}\"", out.empty() ? "" : ", ", word);
  }
  return out;
}

// The deepest command that was named.
CLI::App* deepest(CLI::App* app) {
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().front();
  }
  return app;
}

int fail(const Environment& environment, std::string_view message) {
  environment.err << "Error: " << message << "\n";
  return 1;
}

int fail_with_usage(const Environment& environment, CLI::App* app, std::string_view message) {
  environment.err << "Error: " << message << "\n" << usage_of(*app) << "\n";
  return 1;
}

// Arguments that are no flags fall through to the root, wherever they stand.
int run_command(const CLI::App& root, Command& command, const Environment& environment) {
  command.arguments = root.remaining(true);
  if (const auto problem = unknown_flag(command.arguments)) {
    return fail_with_usage(environment, command.app, *problem);
  }
  if (command.arguments.size() != command.positionals) {
    return fail_with_usage(environment, command.app,
                           command.positionals == 0 && !command.arguments.empty()
                               ? fmt::format("unknown command \"{}\" for \"{}\"", command.arguments[0], command.app->get_name())
                               : fmt::format("accepts {} arg(s), received {}", command.positionals, command.arguments.size()));
  }
  std::vector<std::string> missing;
  for (const std::string& flag : command.required) {
    if (command.app->get_option("--" + flag)->count() == 0) {
      missing.push_back(flag);
    }
  }
  if (!missing.empty()) {
    return fail(environment, fmt::format("required flag(s) {} not set", quoted_list(missing)));
  }
  const absl::Status status = command.action();
  return status.ok() ? 0 : fail(environment, message_of(status));
}

// A group by itself, or with a word that is none of its commands: its help. The word that was nearly right is said apart.
int show_group(const CLI::App& root, CLI::App* group, const Environment& environment) {
  const std::vector<std::string> extras = root.remaining(true);
  if (const auto problem = unknown_flag(extras)) {
    return fail_with_usage(environment, group, *problem);
  }
  environment.out << usage_of(*group);
  if (!extras.empty()) {
    std::vector<std::string> known;
    for (const CLI::App* command : group->get_subcommands([](CLI::App*) { return true; })) {
      known.push_back(command->get_name());
    }
    const std::string nearest = nearest_name(extras[0], known);
    environment.err << fmt::format("{}: there is no command \"{}\"{}\n", group->get_name(), extras[0],
                                   nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest));
  }
  return 0;
}

void add_completion(CommandTree& tree) {
  Command& command = tree.leaf(tree.root(), "completion", "Print a completion script for bash, fish, powershell or zsh", 1);
  command.action = [&tree, &command]() -> absl::Status {
    const std::string& shell = command.arguments[0];
    const std::optional<std::string> script = completion_script(shell, tree.root());
    if (!script) {
      return absl::InvalidArgumentError(fmt::format("unknown shell \"{}\"; it is bash, fish, powershell or zsh", shell));
    }
    tree.invocation().environment.out << *script;
    return absl::OkStatus();
  };
}

}  // namespace

absl::StatusOr<Configuration> Invocation::configuration() const {
  return no_config ? Configuration::default_configuration() : load_or_create(config_file);
}

absl::Status Invocation::save(const Configuration& configuration) const {
  return no_config ? absl::OkStatus() : ctl::save(configuration, config_file);
}

absl::StatusOr<std::chrono::nanoseconds> Invocation::timeout() const {
  auto duration = parse_go_duration(api_timeout);
  if (!duration.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("invalid argument \"{}\" for \"--api-timeout\" flag: {}", api_timeout, message_of(duration.status())));
  }
  return duration;
}

absl::StatusOr<ApiClient> Invocation::client() const {
  KUMA_ASSIGN_OR_RETURN(const Configuration loaded, configuration());
  KUMA_ASSIGN_OR_RETURN(ControlPlane control_plane, loaded.current());
  KUMA_ASSIGN_OR_RETURN(const std::chrono::nanoseconds bound, timeout());
  KUMA_ASSIGN_OR_RETURN(ApiClient client, ApiClient::make(environment, std::move(control_plane), bound));
  client.warn_about_version();
  return client;
}

CLI::App& CommandTree::group(CLI::App& parent, const std::string& name, const std::string& description) {
  CLI::App* app = parent.add_subcommand(name, description);
  app->fallthrough();
  app->allow_extras();
  app->require_subcommand(0, 1);
  return *app;
}

Command& CommandTree::leaf(CLI::App& parent, const std::string& name, const std::string& description, size_t positionals) {
  auto command = std::make_unique<Command>();
  command->app = parent.add_subcommand(name, description);
  command->app->fallthrough();
  command->app->allow_extras();
  command->positionals = positionals;
  commands_.push_back(std::move(command));
  return *commands_.back();
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> parse_pairs(std::string_view flag,
                                                                             const std::vector<std::string>& arguments) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& argument : arguments) {
    std::vector<std::string> parts;
    if (std::count(argument.begin(), argument.end(), '=') > 1) {
      size_t at = 0;
      while (at <= argument.size()) {
        const size_t comma = std::min(argument.find(',', at), argument.size());
        parts.push_back(argument.substr(at, comma - at));
        at = comma + 1;
      }
    } else {
      parts.push_back(argument);
    }
    for (const std::string& part : parts) {
      const size_t equals = part.find('=');
      if (equals == std::string::npos) {
        return absl::InvalidArgumentError(
            fmt::format("invalid argument \"{}\" for \"--{}\" flag: {} must be formatted as key=value", argument, flag, part));
      }
      pairs.emplace_back(part.substr(0, equals), part.substr(equals + 1));
    }
  }
  return pairs;
}

absl::StatusOr<OutputFormat> parse_output_format(const std::string& text) {
  if (text.empty() || text == "table") {
    return OutputFormat::Table;
  }
  if (text == "yaml") {
    return OutputFormat::Yaml;
  }
  if (text == "json") {
    return OutputFormat::Json;
  }
  return absl::InvalidArgumentError(fmt::format("unknown output format \"{}\"", text));
}

int run(const std::vector<std::string>& arguments, const Environment& environment) {
  Invocation invocation{.environment = environment, .config_file = environment.home + "/.kumactl/config"};
  CLI::App root("Talks to a control plane of the Kuma service mesh.", "kumactl");
  root.add_option("--config-file", invocation.config_file, "configuration file, $HOME/.kumactl/config if not given");
  root.add_flag("--no-config", invocation.no_config, "use the default configuration; read and create no file");
  root.add_option("--log-level", invocation.log_level, "log level: one of off|info|debug");
  root.add_option("--api-timeout", invocation.api_timeout, "how long one request may take in all, 0 for ever");
  root.require_subcommand(0, 1);
  root.allow_extras();

  CommandTree tree(root, invocation);
  add_apply(tree);
  add_completion(tree);
  add_explain(tree);
  add_config(tree);
  add_delete(tree);
  add_generate(tree);
  add_get(tree);
  add_inspect(tree);
  add_install(tree);
  add_version(tree);

  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    if (!reversed.empty() && reversed.back() == "help") {  // `help get mesh` is `get mesh --help`
      reversed.back() = "--help";
      std::rotate(reversed.begin(), reversed.end() - 1, reversed.end());
    }
    root.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    environment.out << usage_of(*deepest(&root));
    return 0;
  } catch (const CLI::ParseError& error) {
    return fail_with_usage(environment, deepest(&root), parse_error_text(error));
  }
  if (!set_log_level(invocation.log_level)) {
    return fail(environment, fmt::format("unknown log level \"{}\"", invocation.log_level));
  }
  CLI::App* named = deepest(&root);
  for (const auto& command : tree.commands()) {
    if (command->app == named) {
      return run_command(root, *command, environment);
    }
  }
  return show_group(root, named, environment);
}

}  // namespace kuma::ctl
