#pragma once

#include <memory>
#include <vector>

#include "base/executor.h"

namespace kuma::net {

// The threads that own connections: one event loop each. A connection lives and dies on one loop, and everything that
// happens to it (handlers included) runs there; other threads reach it by posting to that loop.
class Loop : public TimerExecutor {
 public:
  // Whether the caller runs on this loop's thread.
  virtual bool is_current() const = 0;
};

class Loops {
 public:
  // Starts `count` threads; 0 means one per core.
  explicit Loops(size_t count);
  ~Loops();  // stop()

  size_t size() const;
  Loop& at(size_t index);
  // The next loop in turn, for work that belongs to no connection yet.
  Loop& next();
  // Ends the threads; posted work that has not started is dropped. Servers and clients on the loops are stopped before.
  void stop();

 private:
  struct Impl;
  friend struct LoopsAccess;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kuma::net
