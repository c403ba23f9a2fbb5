#include "dp/connection_watch.h"

#include "base/status.h"

namespace kuma::dp {

using namespace std::chrono_literals;

std::optional<bool> parse_connected_state(std::string_view stats) {
  constexpr std::string_view kName = "control_plane.connected_state: ";
  const size_t at = stats.find(kName);
  if (at == std::string_view::npos || at + kName.size() >= stats.size()) {
    return std::nullopt;
  }
  return stats[at + kName.size()] != '0';
}

ConnectionWatch::ConnectionWatch(TimerExecutor& executor, Log& log, std::string cp_address, Fetch fetch)
    : executor_(executor), log_(log), cp_address_(std::move(cp_address)), fetch_(std::move(fetch)) {}

void ConnectionWatch::start() {
  alive_ = std::make_shared<bool>(true);
  timer_ = executor_.post_after(1s, [this] { ask(); });
}

void ConnectionWatch::stop() {
  alive_.reset();
  timer_.reset();
}

void ConnectionWatch::ask() {
  fetch_([this, alive = std::weak_ptr<bool>(alive_)](const absl::StatusOr<HttpAnswer>& answer) {
    if (!alive.expired()) {
      on_answer(answer);
    }
  });
}

void ConnectionWatch::on_answer(const absl::StatusOr<HttpAnswer>& answer) {
  if (answer.ok() && answer->status == 200) {
    if (const auto connected = parse_connected_state(answer->body)) {
      on_state(*connected);
    }
  } else {
    log_.debug(
        "run", "could not ask Envoy for its connection to the control plane",
        {{"error", answer.ok() ? fmt::format("status {}", answer->status) : std::string(message_of(answer.status()))}});
  }
  timer_ = executor_.post_after(connected_ ? 5s : 1s, [this] { ask(); });
}

void ConnectionWatch::on_state(bool connected) {
  if (connected == connected_) {
    return;
  }
  connected_ = connected;
  if (connected) {
    log_.info("run", was_connected_ ? "connected to the control plane again" : "connected to the control plane",
              {{"address", cp_address_}});
    was_connected_ = true;
  } else {
    log_.info(
        "run",
        "lost the connection to the control plane. Envoy works on with its last configuration and connects again by "
        "itself; nothing has to be restarted here",
        {{"address", cp_address_}});
  }
}

}  // namespace kuma::dp
