#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/executor.h"
#include "dp/bootstrap.h"
#include "dp/log.h"

namespace kuma::dp {

// Says in the log when Envoy's connection to the control plane comes and goes. Envoy itself is silent about a lost
// control plane for half a minute and about its return for ever, and people restart proxies that would have been well.
//
// Asks Envoy's admin API for one gauge, every second until it is connected, every five seconds then.
//
// Thread: the executor's.
class ConnectionWatch {
 public:
  // GET /stats with kQuery from Envoy's admin API; the answer on the executor.
  using Fetch = std::function<void(std::function<void(absl::StatusOr<HttpAnswer>)> done)>;
  static constexpr std::string_view kQuery = "/stats?filter=%5Econtrol_plane.connected_state%24";

  ConnectionWatch(TimerExecutor& executor, Log& log, std::string cp_address, Fetch fetch);

  void start();
  void stop();

 private:
  void ask();
  void on_answer(const absl::StatusOr<HttpAnswer>& answer);
  void on_state(bool connected);

  TimerExecutor& executor_;
  Log& log_;
  const std::string cp_address_;
  const Fetch fetch_;
  bool connected_ = false;
  bool was_connected_ = false;
  std::shared_ptr<void> timer_;
  std::shared_ptr<bool> alive_;
};

// The gauge in Envoy's answer; nothing if it is not there (yet).
std::optional<bool> parse_connected_state(std::string_view stats);

}  // namespace kuma::dp
