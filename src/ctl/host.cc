#include "ctl/host.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/errno_text.h"
#include "base/text.h"
#include "fmt/format.h"

namespace kuma::ctl {
namespace {

constexpr size_t kOutputMax = 1 << 20;

std::string read_all(int fd) {
  std::string output;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return output;
    }
    output.append(buffer.data(), std::min(static_cast<size_t>(count), kOutputMax - output.size()));
  }
}

absl::StatusOr<ProgramResult> run_program(const std::vector<std::string>& arguments) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(fmt::format("pipe: {}", errno_text(errno)));
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDERR_FILENO);
  std::vector<std::string> copies = arguments;
  std::vector<char*> argv;
  for (std::string& argument : copies) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  if (error != 0) {
    ::close(pipe[0]);
    return absl::NotFoundError(fmt::format("{}: {}", arguments[0], errno_text(error)));
  }
  ProgramResult result{.code = 1, .output = read_all(pipe[0])};
  ::close(pipe[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

bool has_uid(const std::string& uid) {
  if (uid.empty() || uid.size() > 9 || !std::all_of(uid.begin(), uid.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return false;
  }
  return ::getpwuid(static_cast<uid_t>(std::stoul(uid))) != nullptr;
}

std::optional<std::string> uid_of(const std::string& user) {
  const passwd* entry = ::getpwnam(user.c_str());
  return entry == nullptr ? std::nullopt : std::optional(std::to_string(entry->pw_uid));
}

std::vector<std::string> name_servers() {
  std::vector<std::string> servers;
  std::ifstream in("/etc/resolv.conf");
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string key, address;
    if (words >> key >> address && key == "nameserver" && is_ip_address(address.substr(0, address.find('%')))) {
      servers.push_back(address.substr(0, address.find('%')));
    }
  }
  return servers;
}

template <typename Visit>
void for_each_interface(Visit visit) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) {
    return;
  }
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    visit(*entry);
  }
  ::freeifaddrs(list);
}

bool has_ipv6_address() {
  bool found = false;
  for_each_interface([&](const ifaddrs& entry) {
    found = found || (entry.ifa_addr != nullptr && entry.ifa_addr->sa_family == AF_INET6 && (entry.ifa_flags & IFF_LOOPBACK) == 0);
  });
  return found;
}

std::string loopback() {
  std::string name;
  for_each_interface([&](const ifaddrs& entry) {
    if (name.empty() && (entry.ifa_flags & IFF_LOOPBACK) != 0) {
      name = entry.ifa_name;
    }
  });
  return name.empty() ? "lo" : name;
}

absl::StatusOr<std::string> write_temporary(const std::string& prefix, const std::string& text) {
  std::error_code error;
  std::string path = (std::filesystem::temp_directory_path(error) / (prefix + "XXXXXX")).string();
  const int fd = ::mkstemp(path.data());
  const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int cause = errno;
  if (fd >= 0) {
    ::close(fd);
  }
  return written ? absl::StatusOr<std::string>(path) : absl::UnavailableError(fmt::format("could not write {}: {}", path, errno_text(cause)));
}

}  // namespace

Host make_host() {
  return {.run = run_program, .has_uid = has_uid, .uid_of = uid_of, .name_servers = name_servers, .has_ipv6_address = has_ipv6_address,
          .loopback = loopback, .write_temporary = write_temporary,
          .pause = [](std::chrono::nanoseconds time) { std::this_thread::sleep_for(time); }};
}

}  // namespace kuma::ctl
