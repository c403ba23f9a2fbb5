#include "dp/program.h"

#include <unistd.h>

#include <filesystem>
#include <ostream>
#include <thread>

#include "base/status.h"
#include "dp/command_line.h"
#include "dp/log_file.h"
#include "dp/run.h"
#include "dp/wait.h"
#include "net/client.h"

namespace kuma::dp {
namespace {

// Standard error is unbuffered and shared with Envoy's output, so a line is one write.
void write_stderr(std::string_view line) {
  while (!line.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    if (written <= 0) {
      return;
    }
    line.remove_prefix(static_cast<size_t>(written));
  }
}

absl::StatusOr<std::unique_ptr<Log>> open_log(const LogOptions& options, const World& world) {
  const Log::Level level = options.level == "off"     ? Log::Level::Off
                           : options.level == "debug" ? Log::Level::Debug
                                                      : Log::Level::Info;
  if (options.path.empty()) {
    return std::make_unique<Log>(world.clock, level, write_stderr);
  }
  const std::string path = std::filesystem::path(world.working_directory) / options.path;
  world.out << fmt::format("kuma-dp: logs will be stored in \"{}\"\n", path) << std::flush;
  KUMA_ASSIGN_OR_RETURN(std::shared_ptr<LogFile> file,
                        LogFile::open(world.clock, path,
                                      {.size_max = options.file_size_mb_max * 1024 * 1024,
                                       .files_max = options.files_max,
                                       .age_max = std::chrono::hours(24 * options.age_days_max)}));
  return std::make_unique<Log>(world.clock, level,
                               [file = std::move(file)](std::string_view line) { file->write(line); });
}

absl::Status run_wait(const WaitCommand& wait, const World& world, Log& log) {
  const WaitActions actions{
      .get = [](const std::string& url, std::chrono::nanoseconds timeout) -> absl::StatusOr<HttpAnswer> {
        net::HttpCall call;
        call.url = url;
        call.timeout = timeout;
        auto response = net::http_call(std::move(call));
        if (!response.ok()) {
          return response.status();
        }
        return HttpAnswer{.status = response->status, .body = std::move(response->body)};
      },
      .pause = [](std::chrono::nanoseconds time) { std::this_thread::sleep_for(time); }};
  return wait_until_ready(wait, actions, world.clock, log);
}

struct Dispatch {
  const World& world;

  absl::Status operator()(const PrintCommand& print) const {
    world.out << print.text << std::flush;
    return absl::OkStatus();
  }
  absl::Status operator()(const UsageError&) const { return absl::OkStatus(); }  // printed before
  absl::Status operator()(const RunCommand& command) const {
    KUMA_ASSIGN_OR_RETURN(const auto log, open_log(command.log, world));
    return run(command.settings, command.log.level, world, *log);
  }
  absl::Status operator()(const WaitCommand& command) const {
    KUMA_ASSIGN_OR_RETURN(const auto log, open_log(command.log, world));
    return run_wait(command, world, *log);
  }
};

}  // namespace

int run_program(const std::vector<std::string>& arguments, const World& world) {
  const CommandLine line = parse_command_line(arguments);
  world.err << line.warnings;
  if (const auto* error = std::get_if<UsageError>(&line.command)) {
    world.err << error->text << std::flush;
    return 1;
  }
  const absl::Status status = std::visit(Dispatch{world}, line.command);
  if (!status.ok()) {
    world.err << "Error: " << message_of(status) << "\n" << std::flush;
    return 1;
  }
  return 0;
}

}  // namespace kuma::dp
