#include "dp/command_line.h"

#include <algorithm>
#include <map>

#include "CLI/CLI.hpp"
#include "base/cli.h"
#include "base/status.h"
#include "base/text.h"
#include "base/version.h"

namespace kuma::dp {
namespace {

// Values as written on the command line; what they mean is decided after parsing, so that errors read as users know
// them. The last one of a repeated flag counts, except for variables.
class Flags {
 public:
  void add(CLI::App& app, std::string_view name, std::string_view shorthand, std::string_view help,
           std::string_view default_text) {
    std::string& value = values_[std::string(name)];
    value = default_text;
    CLI::Option* option = app.add_option(cli_name(name, shorthand), value, std::string(help));
    option->take_last();
    options_[std::string(name)] = option;
  }
  // A flag that may stand alone: `--dns-enabled`, `--dns-enabled=false`.
  void add_bool(CLI::App& app, std::string_view name, std::string_view shorthand, std::string_view help) {
    std::string& value = values_[std::string(name)];
    CLI::Option* option = app.add_flag(cli_name(name, shorthand), value, std::string(help));
    option->take_last();
    options_[std::string(name)] = option;
  }

  bool given(std::string_view name) const { return options_.at(std::string(name))->count() > 0; }
  const std::string& value(std::string_view name) const { return values_.at(std::string(name)); }

 private:
  static std::string cli_name(std::string_view name, std::string_view shorthand) {
    return shorthand.empty() ? fmt::format("--{}", name) : fmt::format("-{},--{}", shorthand, name);
  }
  std::map<std::string, std::string> values_;
  std::map<std::string, CLI::Option*> options_;
};

std::string default_text(const Setting& setting) {
  const Settings defaults;
  if (const auto* text = std::get_if<std::string Settings::*>(&setting.member)) {
    return defaults.*(*text);
  }
  if (const auto* duration = std::get_if<std::chrono::nanoseconds Settings::*>(&setting.member)) {
    return format_go_duration(defaults.*(*duration));
  }
  if (const auto* number = std::get_if<uint32_t Settings::*>(&setting.member)) {
    return std::to_string(defaults.*(*number));
  }
  return "";
}

absl::Status bad_value(std::string_view name, std::string_view shorthand, std::string_view value,
                       const absl::Status& why) {
  const std::string flag = shorthand.empty() ? fmt::format("--{}", name) : fmt::format("-{}, --{}", shorthand, name);
  return absl::InvalidArgumentError(
      fmt::format("invalid argument \"{}\" for \"{}\" flag: {}", value, flag, message_of(why)));
}

absl::Status read_log_options(const Flags& flags, LogOptions& log) {
  log.level = flags.value("log-level");
  log.path = flags.value("log-output-path");
  const auto number = [&](std::string_view name, uint64_t& out) -> absl::Status {
    const std::string& text = flags.value(name);
    if (text.empty() || text.size() > 9 ||
        !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      return bad_value(
          name, "", text,
          absl::InvalidArgumentError(fmt::format("strconv.ParseInt: parsing \"{}\": invalid syntax", text)));
    }
    out = std::stoull(text);
    return absl::OkStatus();
  };
  KUMA_RETURN_IF_ERROR(number("log-max-retained-files", log.files_max));
  KUMA_RETURN_IF_ERROR(number("log-max-size", log.file_size_mb_max));
  KUMA_RETURN_IF_ERROR(number("log-max-age", log.age_days_max));
  if (log.level != "off" && log.level != "info" && log.level != "debug") {
    return absl::InvalidArgumentError(fmt::format("unknown log level \"{}\"", log.level));
  }
  return absl::OkStatus();
}

// `a=1` is one pair; with several `=` the text is a list `a=1,b=2`.
absl::Status read_variables(const std::vector<std::string>& texts, std::map<std::string, std::string>& vars) {
  for (const std::string& text : texts) {
    const bool several = std::count(text.begin(), text.end(), '=') > 1;
    size_t at = 0;
    while (at <= text.size()) {
      const size_t end = several ? std::min(text.find(',', at), text.size()) : text.size();
      const std::string part = text.substr(at, end - at);
      const size_t equals = part.find('=');
      if (equals == std::string::npos) {
        return bad_value("dataplane-var", "v", text,
                         absl::InvalidArgumentError(fmt::format("{} must be formatted as key=value", part)));
      }
      vars[part.substr(0, equals)] = part.substr(equals + 1);
      at = end + 1;
    }
  }
  return absl::OkStatus();
}

absl::Status read_settings(const Flags& flags, const std::vector<std::string>& variables, Settings& settings) {
  for (const Setting& setting : settings_table()) {
    if (setting.flag.empty() || !flags.given(setting.flag)) {
      continue;
    }
    const std::string& text = flags.value(setting.flag);
    if (const absl::Status status = assign(setting, text, settings); !status.ok()) {
      return bad_value(setting.flag, setting.shorthand, text, status);
    }
  }
  return read_variables(variables, settings.resource_vars);
}

absl::Status read_wait(const Flags& flags, WaitCommand& wait) {
  const auto duration = [&](std::string_view name, std::chrono::nanoseconds& out) -> absl::Status {
    auto parsed = parse_go_duration(flags.value(name));
    if (!parsed.ok()) {
      return bad_value(name, "", flags.value(name), parsed.status());
    }
    out = *parsed;
    return absl::OkStatus();
  };
  wait.url = flags.value("url");
  KUMA_RETURN_IF_ERROR(duration("check-frequency", wait.check_frequency));
  KUMA_RETURN_IF_ERROR(duration("timeout", wait.timeout));
  return duration("request-timeout", wait.request_timeout);
}

std::string version_text(bool detailed) {
  if (!detailed) {
    return fmt::format("{}: {}\n", kProduct, kVersion);
  }
  return fmt::format("Product:       {}\nVersion:       {}\nGit Tag:       {}\nGit Commit:    {}\nBuild Date:    {}\n",
                     kProduct, kVersion, kGitTag, kGitCommit, kBuildDate);
}

// The tree of commands, its flags, and what became of them.
struct Tree {
  CLI::App root{
      "Runs beside an Envoy proxy: fetches its configuration's start from the control plane and looks after it.",
      "kuma-dp"};
  CLI::App* run = nullptr;
  CLI::App* wait = nullptr;
  CLI::App* version = nullptr;
  CLI::App* completion = nullptr;
  CLI::App* help = nullptr;
  Flags flags;
  std::vector<std::string> variables;

  Tree();
  CLI::App* named();
};

Tree::Tree() {
  root.require_subcommand(0, 1);
  root.allow_extras();
  flags.add(root, "log-level", "", "log level: one of off|info|debug", "info");
  flags.add(root, "log-output-path", "", "file to write the log to, standard error if not given", "");
  flags.add(root, "log-max-retained-files", "", "how many rotated log files are kept", "1000");
  flags.add(root, "log-max-size", "", "size at which a log file is rotated, in megabytes", "100");
  flags.add(root, "log-max-age", "", "how long rotated log files are kept, in days", "30");

  const auto leaf = [this](const std::string& name, const std::string& description) {
    CLI::App* app = root.add_subcommand(name, description);
    app->fallthrough();
    app->allow_extras();
    return app;
  };
  run = leaf("run", "Start a proxy and look after it until it is told to stop");
  for (const Setting& setting : settings_table()) {
    if (setting.flag.empty()) {
      continue;
    }
    const std::string help_text =
        setting.env.empty() ? std::string(setting.help) : fmt::format("{} [{}]", setting.help, setting.env);
    if (std::holds_alternative<bool Settings::*>(setting.member)) {
      flags.add_bool(*run, setting.flag, setting.shorthand, help_text);
    } else {
      flags.add(*run, setting.flag, setting.shorthand, help_text, default_text(setting));
    }
  }
  run->add_option("-v,--dataplane-var", variables, "variable for the template, key=value; may be repeated")
      ->allow_extra_args(false);
  flags.add(*run, "bootstrap-version", "", "ignored", "");

  wait = leaf("wait", "Wait until a proxy is ready");
  flags.add(*wait, "url", "", "where to ask", "http://localhost:9901/ready");
  flags.add(*wait, "check-frequency", "", "how often to ask", "1s");
  flags.add(*wait, "timeout", "", "how long to wait in all", "3m0s");
  flags.add(*wait, "request-timeout", "", "how long to wait for one answer", "500ms");

  version = leaf("version", "Print the version");
  flags.add_bool(*version, "detailed", "a", "all that is known of the version");
  completion = leaf("completion", "Print a completion script for bash, zsh, fish or powershell");
  help = leaf("help", "Help about a command");
}

CLI::App* Tree::named() { return root.get_subcommands().empty() ? &root : root.get_subcommands().front(); }

UsageError usage_error(CLI::App* app, std::string_view message) {
  return {fmt::format("Error: {}\n{}\n", message, usage_of(*app))};
}

std::variant<PrintCommand, UsageError, RunCommand, WaitCommand> interpret(Tree& tree) {
  CLI::App* named = tree.named();
  // CLI11 hands what it does not know up to the root.
  const std::vector<std::string> extras = tree.root.remaining(true);
  if (const auto problem = unknown_flag(extras)) {
    return usage_error(named, *problem);
  }
  if (named == &tree.root) {
    if (!extras.empty()) {
      return UsageError{
          fmt::format("Error: unknown command \"{}\" for \"kuma-dp\"\nRun 'kuma-dp --help' for usage.\n", extras[0])};
    }
    return PrintCommand{usage_of(tree.root)};
  }
  if (named == tree.help) {
    const CLI::App* about = nullptr;
    for (CLI::App* command : tree.root.get_subcommands([](CLI::App*) { return true; })) {
      about = !extras.empty() && command->get_name() == extras[0] ? command : about;
    }
    return PrintCommand{usage_of(about == nullptr ? tree.root : *about)};
  }
  if (named == tree.completion) {
    std::optional<std::string> script = extras.size() == 1 ? completion_script(extras[0], tree.root) : std::nullopt;
    return PrintCommand{script ? *std::move(script) : usage_of(*named)};
  }
  if (!extras.empty()) {
    return usage_error(named, fmt::format("unknown command \"{}\" for \"kuma-dp {}\"", extras[0], named->get_name()));
  }
  LogOptions log;
  if (const absl::Status status = read_log_options(tree.flags, log); !status.ok()) {
    return usage_error(named, message_of(status));
  }
  if (named == tree.version) {
    const bool detailed = tree.flags.given("detailed") && tree.flags.value("detailed") != "false";
    return PrintCommand{version_text(detailed)};
  }
  if (named == tree.wait) {
    WaitCommand wait{.log = std::move(log)};
    const absl::Status status = read_wait(tree.flags, wait);
    return status.ok() ? decltype(interpret(tree)){std::move(wait)} : usage_error(named, message_of(status));
  }
  RunCommand run{.log = std::move(log), .settings = {}};
  const absl::Status status = read_settings(tree.flags, tree.variables, run.settings);
  return status.ok() ? decltype(interpret(tree)){std::move(run)} : usage_error(named, message_of(status));
}

}  // namespace

CommandLine parse_command_line(const std::vector<std::string>& arguments) {
  Tree tree;
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    tree.root.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    return {.command = PrintCommand{usage_of(*tree.named())}, .warnings = ""};
  } catch (const CLI::ParseError& error) {
    return {.command = usage_error(tree.named(), parse_error_text(error)), .warnings = ""};
  }
  CommandLine line{.command = interpret(tree), .warnings = ""};
  if (tree.flags.given("bootstrap-version")) {
    line.warnings = "Flag --bootstrap-version has been deprecated, Envoy API v3 is used and can not be changed\n";
  }
  return line;
}

}  // namespace kuma::dp
