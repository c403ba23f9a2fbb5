#pragma once

#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "base/clock.h"
#include "dp/fd.h"
#include "dp/log.h"

namespace kuma::dp {

// Reads the named pipe that Envoy writes access logs to, and sends each line to the TCP address that it names. One
// connection an address, made when the first line comes. A line that cannot be delivered is dropped and counted in the
// log: an access log is never a reason to slow down traffic.
//
// Bounds: 64 addresses at once, 1 MiB waiting for each, lines of 1 MiB, 5 s to connect, 1 s between attempts.
//
// Thread: has one of its own.
class AccessLogStreamer {
 public:
  // Makes the pipe, replacing what is there. Envoy may open it as soon as this returns.
  static absl::StatusOr<std::unique_ptr<AccessLogStreamer>> start(std::string path, const Clock& clock, Log& log);
  ~AccessLogStreamer();  // removes the pipe

 private:
  class Worker;
  AccessLogStreamer(std::string path, Fd stop_event, std::unique_ptr<Worker> worker);

  const std::string path_;
  Fd stop_event_;
  std::unique_ptr<Worker> worker_;
  std::thread thread_;
};

}  // namespace kuma::dp
