#include <csignal>
#include <cstdlib>
#include <iostream>

#include "CLI/CLI.hpp"
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

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("Control plane of the Kuma service mesh.", "kuma-cp");
  std::string log_level = "info";
  std::string config_file;
  std::string log_output_path;
  int log_max_age = 7, log_max_size = 100, log_max_retained_files = 1000;
  bool detailed = false;
  app.require_subcommand(0, 1);
  app.fallthrough();
  app.add_option("--log-level", log_level, "off, info or debug");
  app.add_option("--log-output-path", log_output_path, "accepted for compatibility; the log goes to standard error");
  app.add_option("--log-max-age", log_max_age, "accepted for compatibility");
  app.add_option("--log-max-size", log_max_size, "accepted for compatibility");
  app.add_option("--log-max-retained-files", log_max_retained_files, "accepted for compatibility");
  CLI::App* run_command = app.add_subcommand("run", "Run the control plane");
  run_command->fallthrough();
  run_command->add_option("-c,--config-file", config_file, "YAML file with settings; the environment goes over it");
  CLI::App* version_command = app.add_subcommand("version", "Print the version");
  version_command->fallthrough();
  version_command->add_flag("-a,--detailed", detailed, "all that is known of it");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return fail(error.what());
  }
  if (!kuma::set_log_level(log_level)) {
    return fail("unknown log level \"" + log_level + "\"; it is off, info or debug");
  }
  if (version_command->parsed()) {
    if (detailed) {
      std::cout << "Product:       " << kuma::kProduct << "\nVersion:       " << kuma::kVersion << "\nGit Tag:       " << kuma::kGitTag
                << "\nGit Commit:    " << kuma::kGitCommit << "\nBuild Date:    " << kuma::kBuildDate << "\n";
    } else {
      std::cout << kuma::kProduct << ": " << kuma::kVersion << "\n";
    }
    return 0;
  }
  if (run_command->parsed()) {
    return run(config_file);
  }
  std::cout << app.help();
  return 0;
}
