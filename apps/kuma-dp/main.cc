#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "dp/program.h"

int main(int argc, char** argv) {
  // A reader that goes away is an error of the write, not the end of the proxy.
  std::signal(SIGPIPE, SIG_IGN);
  std::error_code failed;
  const kuma::dp::World world{
      .env = [](std::string_view name) -> std::optional<std::string> {
        const char* value = std::getenv(std::string(name).c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
      },
      .out = std::cout,
      .err = std::cerr,
      .clock = kuma::system_clock(),
      .working_directory = std::filesystem::current_path(failed).string(),
      .own_directory = std::filesystem::read_symlink("/proc/self/exe", failed).parent_path().string(),
  };
  return kuma::dp::run_program({argv + 1, argv + argc}, world);
}
