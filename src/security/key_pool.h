#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "base/executor.h"
#include "security/key.h"

namespace kuma::security {

struct KeyPoolLimits {
  size_t ready_count = 4;     // keys made ahead
  size_t waiting_max = 1000;  // takers without a key yet
};

// RSA-2048 keys, made ahead in the background so that a mesh or a token's key costs its creator nothing.
//
// One key at a time is made, on the executor; those who wait come before the stock. The stock is filled as soon as the
// pool is made, and again after each take.
//
// Life: stop() ends it: nobody who still waits is called any more, and a key that is just being made is thrown away. The
// executor must be running or stopped for good, but need not outlive the pool. Thread: any.
class KeyPool {
 public:
  using Generate = std::function<absl::StatusOr<PrivateKey>()>;
  using Taker = std::function<void(absl::StatusOr<PrivateKey>)>;

  explicit KeyPool(Executor& executor, KeyPoolLimits limits = {},
                   Generate generate = [] { return PrivateKey::generate_rsa(); });
  ~KeyPool();  // stop()

  // A key of the stock or, when it is empty, one made here and now on the caller's thread: never waits for another's
  // work, so it may run on the executor itself. Not for loops that serve others.
  absl::StatusOr<PrivateKey> take();

  // Calls `taker` once with a key: at once with one of the stock, else later on the executor, first come first served.
  // With more than waiting_max takers waiting it is called at once with ResourceExhausted.
  void take_async(Taker taker);

  size_t ready_count() const;
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kuma::security
