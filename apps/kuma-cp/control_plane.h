#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "config/config.h"

namespace kuma {

// All parts of a control plane, wired. Built in the order in which they depend on each other, stopped in reverse: servers
// first, so that no new work comes, then the engine, the threads, the store.
class ControlPlane {
 public:
  // Unavailable or FailedPrecondition with the port or file that can't be had.
  static absl::StatusOr<std::unique_ptr<ControlPlane>> start(config::Config config);
  ~ControlPlane();

  // Ends streams and answers under way within a few seconds, then everything else.
  void stop();

 private:
  struct Impl;
  explicit ControlPlane(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kuma
