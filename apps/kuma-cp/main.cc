#include <csignal>
#include <cstdlib>
#include <iostream>
#include <optional>

#include "CLI/CLI.hpp"
#include "base/cli.h"
#include "base/log.h"
#include "base/status.h"
#include "base/version.h"
#include "config/load.h"
#include "config/server_certificate.h"
#include "control_plane.h"

namespace {

int fail(const std::string& message) {
  std::cerr << "Error: " << message << "\n";
  return 1;
}

// Runs until SIGINT or SIGTERM.
int run(const std::string& config_file) {
  auto loaded = kuma::config::load_config(config_file, kuma::config::process_environment());
  if (!loaded.ok()) {
    return fail(std::string(kuma::message_of(loaded.status())));
  }
  const auto log = kuma::make_logger("kuma-cp");
  for (const std::string& warning : loaded->warnings) {
    log->warn("{}", warning);
  }
  if (const absl::Status status = kuma::config::prepare_work_dir(loaded->config, kuma::system_clock()); !status.ok()) {
    return fail(std::string(kuma::message_of(status)));
  }
  // Threads started from here on inherit the mask, so the signals come to sigwait() alone.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  auto control_plane = kuma::ControlPlane::start(std::move(loaded->config));
  if (!control_plane.ok()) {
    return fail(std::string(kuma::message_of(control_plane.status())));
  }
  int signal = 0;
  sigwait(&signals, &signal);
  log->info("stopping: received signal {}", signal);
  (*control_plane)->stop();
  return 0;
}

// What a start script does before `run`. The store brings its file up to date itself when it is opened, so there is nothing
// left to do but to say so.
int migrate(const std::string& config_file) {
  const auto loaded = kuma::config::load_config(config_file, kuma::config::process_environment());
  if (!loaded.ok()) {
    return fail(std::string(kuma::message_of(loaded.status())));
  }
  if (loaded->config.store.type == "memory") {
    return fail("migrations are not supported for Memory resource store");
  }
  std::cout << "DB has already been migrated for Kuma " << kuma::kVersion << "\n";
  return 0;
}

void print_version(bool detailed) {
  if (detailed) {
    std::cout << "Product:       " << kuma::kProduct << "\nVersion:       " << kuma::kVersion << "\nGit Tag:       " << kuma::kGitTag
              << "\nGit Commit:    " << kuma::kGitCommit << "\nBuild Date:    " << kuma::kBuildDate << "\n";
  } else {
    std::cout << kuma::kProduct << ": " << kuma::kVersion << "\n";
  }
}

// The tree of commands. Arguments that no command knows come to the root.
struct Tree {
  CLI::App root{"Control plane of the Kuma service mesh.", "kuma-cp"};
  CLI::App* run = nullptr;
  CLI::App* migrate = nullptr;
  CLI::App* migrate_up = nullptr;
  CLI::App* version = nullptr;
  CLI::App* completion = nullptr;
  CLI::App* help = nullptr;
  std::string log_level = "info";
  std::string config_file;
  std::string log_output_path, log_max_age, log_max_size, log_max_retained_files;
  bool detailed = false;

  Tree() {
    root.require_subcommand(0, 1);
    root.allow_extras();
    root.add_option("--log-level", log_level, "off, info or debug");
    root.add_option("--log-output-path", log_output_path, "accepted for compatibility; the log goes to standard error");
    root.add_option("--log-max-age", log_max_age, "accepted for compatibility");
    root.add_option("--log-max-size", log_max_size, "accepted for compatibility");
    root.add_option("--log-max-retained-files", log_max_retained_files, "accepted for compatibility");
    run = add(root, "run", "Run the control plane");
    run->add_option("-c,--config-file", config_file, "YAML file with settings; the environment goes over it");
    migrate = add(root, "migrate", "Bring the store to the newest form");
    migrate->require_subcommand(0, 1);
    migrate_up = add(*migrate, "up", "Bring the store to the newest form");
    migrate_up->add_option("-c,--config-file", config_file, "YAML file with settings; the environment goes over it");
    version = add(root, "version", "Print the version");
    version->add_flag("-a,--detailed", detailed, "all that is known of it");
    completion = add(root, "completion", "Print a completion script for bash, fish, powershell or zsh");
    help = add(root, "help", "Help about a command");
  }

  static CLI::App* add(CLI::App& parent, const std::string& name, const std::string& description) {
    CLI::App* app = parent.add_subcommand(name, description);
    app->fallthrough();
    app->allow_extras();
    return app;
  }
  CLI::App* named() {
    CLI::App* app = &root;
    while (!app->get_subcommands().empty()) {
      app = app->get_subcommands().front();
    }
    return app;
  }
};

int fail_with_usage(const CLI::App& command, const std::string& message) { return fail(message + "\n" + kuma::usage_of(command)); }

// Commands that only print, and arguments that nobody knows; nothing when the command is to be run.
std::optional<int> print_or_refuse(Tree& tree) {
  CLI::App* named = tree.named();
  const std::vector<std::string> extras = tree.root.remaining(true);
  if (const auto problem = kuma::unknown_flag(extras)) {
    return fail_with_usage(*named, *problem);
  }
  if (named == &tree.root && !extras.empty()) {
    return fail("unknown command \"" + extras[0] + "\" for \"kuma-cp\"\nRun 'kuma-cp --help' for usage.");
  }
  if (named == tree.help) {
    const auto commands = tree.root.get_subcommands([&](const CLI::App* app) { return !extras.empty() && app->get_name() == extras[0]; });
    std::cout << kuma::usage_of(commands.empty() ? tree.root : *commands.front());
    return 0;
  }
  if (named == tree.completion) {
    const auto script = extras.size() == 1 ? kuma::completion_script(extras[0], tree.root) : std::nullopt;
    std::cout << (script ? *script : kuma::usage_of(*named));
    return 0;
  }
  if (!extras.empty() && named != tree.migrate) {
    return fail_with_usage(*named, "unknown command \"" + extras[0] + "\" for \"kuma-cp " + named->get_name() + "\"");
  }
  if (named == &tree.root || named == tree.migrate) {
    std::cout << kuma::usage_of(*named);
    return 0;
  }
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  Tree tree;
  try {
    tree.root.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << kuma::usage_of(*tree.named());
    return 0;
  } catch (const CLI::ParseError& error) {
    return fail_with_usage(*tree.named(), kuma::parse_error_text(error));
  }
  if (const auto code = print_or_refuse(tree)) {
    return *code;
  }
  if (!kuma::set_log_level(tree.log_level)) {
    return fail("unknown log level \"" + tree.log_level + "\"; it is off, info or debug");
  }
  if (tree.named() == tree.version) {
    print_version(tree.detailed);
    return 0;
  }
  if (!tree.log_output_path.empty()) {
    std::cerr << "the flag --log-output-path has no effect: the log goes to standard error, which whoever starts this can lead to a file\n";
  }
  return tree.named() == tree.migrate_up ? migrate(tree.config_file) : run(tree.config_file);
}
