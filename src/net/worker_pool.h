#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/executor.h"

namespace kuma::net {

// Threads for slow work that must not stop a loop: RSA keys, other hosts, files.
//
// The queue is bounded: post() of a 10,001st waiting piece of work (`queue_len_max`) blocks its caller until there is
// room, so that nothing is ever dropped; try_post() says no instead, which is what a loop should use when its work comes
// from the network. Work posted by a pool's own thread never blocks.
//
// Life: stop() ends the threads after the work they are at; what still waits is dropped. Nothing runs after it.
class WorkerPool final : public Executor {
 public:
  explicit WorkerPool(size_t threads, size_t queue_len_max = 10'000);
  ~WorkerPool() override;  // stop()

  void post(std::function<void()> work) override;
  // False, and `work` dropped, when the queue is full or the pool has been stopped.
  bool try_post(std::function<void()> work);
  size_t queue_len() const;
  void stop();

 private:
  void run();
  bool is_own_thread() const;

  const size_t queue_len_max_;
  mutable std::mutex queue_mutex_;  // guards queue_ and stopped_
  std::condition_variable queue_changed_;
  std::deque<std::function<void()>> queue_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace kuma::net
