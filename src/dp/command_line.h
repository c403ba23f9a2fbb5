#pragma once

#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include "dp/settings.h"

namespace kuma::dp {

// Where kuma-dp's own log goes, and how much of it.
struct LogOptions {
  std::string level = "info";  // off, info or debug
  std::string path;            // empty: standard error
  uint64_t files_max = 1000;
  uint64_t file_size_mb_max = 100;
  uint64_t age_days_max = 30;
};

struct RunCommand {
  LogOptions log;
  Settings settings;  // of the flags alone
};

struct WaitCommand {
  LogOptions log;
  std::string url = "http://localhost:9901/ready";
  std::chrono::nanoseconds check_frequency = 1s;
  std::chrono::nanoseconds timeout = 180s;
  std::chrono::nanoseconds request_timeout = 500ms;
};

// Something to print and be done: help, version, a completion script. `warning` goes to standard error before.
struct PrintCommand {
  std::string text;
};

// Not understood: printed to standard error, exit code 1.
struct UsageError {
  std::string text;
};

struct CommandLine {
  std::variant<PrintCommand, UsageError, RunCommand, WaitCommand> command;
  std::string warnings;  // lines for standard error: deprecated flags
};

// Reads the arguments after the program's name. Pure.
CommandLine parse_command_line(const std::vector<std::string>& arguments);

}  // namespace kuma::dp
