#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace kuma::ctl {

struct ProgramResult {
  int code = 0;
  std::string output;  // standard output and error, at most 1 MiB
};

// The machine that `install transparent-proxy` sets up. Tests give one of their own.
struct Host {
  // Runs a program, looked up in PATH when its name has no slash, to its end. NotFound when there is none.
  std::function<absl::StatusOr<ProgramResult>(const std::vector<std::string>& arguments)> run;
  std::function<bool(const std::string& uid)> has_uid;
  std::function<std::optional<std::string>(const std::string& user)> uid_of;
  std::function<std::vector<std::string>()> name_servers;  // of /etc/resolv.conf
  std::function<bool()> has_ipv6_address;                  // on an interface other than the loopback
  std::function<std::string()> loopback;                   // name of the first loopback interface, `lo` if none is found
  // Writes a new temporary file whose name begins with `prefix`; its path.
  std::function<absl::StatusOr<std::string>(const std::string& prefix, const std::string& text)> write_temporary;
  std::function<void(std::chrono::nanoseconds)> pause;
};

// This one.
Host make_host();

}  // namespace kuma::ctl
