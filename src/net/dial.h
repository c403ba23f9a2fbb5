#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "boost/asio/ip/tcp.hpp"
#include "net/loop_impl.h"

namespace kuma::net {

// Connects to `host` (a name, or an address with or without brackets), trying its addresses one after another. The
// error is that of the last one tried: `connect to 127.0.0.1:5681: connection refused`. Called on the loop; `done` runs
// on it, later. Dropping the handle ends the attempt without a call.
using DialDone = std::function<void(absl::StatusOr<asio::ip::tcp::socket>)>;
[[nodiscard]] std::shared_ptr<void> dial(const std::shared_ptr<LoopImpl>& loop, const std::string& host, uint16_t port,
                                         std::chrono::nanoseconds timeout, DialDone done);

}  // namespace kuma::net
