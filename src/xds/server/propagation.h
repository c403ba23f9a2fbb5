#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "base/clock.h"
#include "observe/metrics.h"

namespace kuma::xds {

// Measures how long a write takes to reach all proxies that it concerns.
//
// One is made for each batch of changes and shared by all who carry the batch on: the marks of the scheduler, the streams
// until their proxy has acknowledged what the batch changed. When the last of them lets go of it, the time of the last
// acknowledgement is known and observed. A change that no proxy acknowledged says nothing: a stream that ends, or a proxy that
// refuses, lets go without a word. Any thread.
class Propagation {
 public:
  Propagation(MonotonicTime committed_at, observe::Histogram seconds) : committed_at_(committed_at), seconds_(seconds) {}
  ~Propagation() {
    if (const int64_t last = last_.load(); last != kNever) {
      seconds_.observe(std::chrono::duration<double>(std::chrono::nanoseconds(last)).count());
    }
  }
  Propagation(const Propagation&) = delete;
  Propagation& operator=(const Propagation&) = delete;

  void acknowledged(MonotonicTime now) {
    const int64_t taken = (now - committed_at_).count();
    int64_t last = last_.load();
    while (last < taken && !last_.compare_exchange_weak(last, taken)) {
    }
  }

 private:
  static constexpr int64_t kNever = -1;
  const MonotonicTime committed_at_;
  const observe::Histogram seconds_;
  std::atomic<int64_t> last_{kNever};
};
using PropagationPtr = std::shared_ptr<Propagation>;

// Who falls behind keeps the oldest so many and lets go of the others: these are then observed without it.
inline constexpr size_t kPropagationsMax = 64;

}  // namespace kuma::xds
