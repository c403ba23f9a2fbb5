#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/executor.h"

namespace kuma::xds {

// Keeps the addresses of host names up to date: new names are looked up at once, all of them again after each interval.
// Tells only what has changed. An address of "" means that the name does not resolve.
//
// A name that did resolve and fails once is looked up again before it is believed, in the next round: a name server that
// stumbles must not take the endpoints of a service away.
//
// Life: watch() whenever the names in use change; after stop() on_change is not called any more. Thread: all on the
// executor; look-ups wait on `workers`, at most kLookupsMax at a time.
class HostResolver {
 public:
  static constexpr size_t kLookupsMax = 16;
  // The address of a name, "" when it has none. Waits; called on workers.
  using Resolve = std::function<std::string(const std::string& host)>;
  using OnChange = std::function<void(const std::string& host, const std::string& address)>;

  HostResolver(std::chrono::nanoseconds interval, TimerExecutor& executor, Executor& workers, Resolve resolve,
               OnChange on_change);
  ~HostResolver();

  void watch(const std::vector<std::string>& hosts);
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kuma::xds
