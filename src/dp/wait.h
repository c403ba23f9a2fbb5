#pragma once

#include <functional>

#include "absl/status/status.h"
#include "dp/bootstrap.h"
#include "dp/command_line.h"
#include "dp/log.h"

namespace kuma::dp {

// `kuma-dp wait`: asks the URL until it answers 200. The world is passed in.
struct WaitActions {
  std::function<absl::StatusOr<HttpAnswer>(const std::string& url, std::chrono::nanoseconds timeout)> get;
  std::function<void(std::chrono::nanoseconds)> pause;
};
absl::Status wait_until_ready(const WaitCommand& wait, const WaitActions& actions, const Clock& clock, Log& log);

}  // namespace kuma::dp
