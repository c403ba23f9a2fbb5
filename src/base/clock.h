#pragma once

#include <chrono>

namespace kuma {

// Wall-clock instants with nanoseconds, as resources show them (RFC 3339).
using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;
// Instants for intervals and deadlines; never goes back.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

// Where time comes from. Tests and simulations pass one of their own; base/clock_system.cc alone asks the system.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall_now() const = 0;
  virtual MonotonicTime monotonic_now() const = 0;
};

// The operating system's clock; lives as long as the program.
const Clock& system_clock();

// A clock that stands still until it is told to move.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime start = WallTime(std::chrono::seconds(1'700'000'000))) : wall_(start) {}
  WallTime wall_now() const override { return wall_; }
  MonotonicTime monotonic_now() const override { return monotonic_; }
  void advance(std::chrono::nanoseconds by) {
    wall_ += by;
    monotonic_ += by;
  }

 private:
  WallTime wall_;
  MonotonicTime monotonic_{};
};

}  // namespace kuma
