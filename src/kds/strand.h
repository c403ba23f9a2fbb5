#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "base/executor.h"

namespace kuma::kds {

// Work done in order, one piece at a time, on an executor with many threads: what is written on behalf of one peer.
//
// Bound: whoever posts waits for the outcome before he posts more (a Consumer stores one batch at a time). Thread: any.
// Ownership: what waits lies with the executor, so that one that ends without having done it lets go of it, and of what it
// holds, which is often somebody who holds this strand.
class Strand : public std::enable_shared_from_this<Strand> {
 public:
  explicit Strand(Executor& executor) : executor_(executor) {}

  void post(std::function<void()> work) {
    std::shared_ptr<Queue> queue;
    {
      const std::lock_guard lock(mutex_);
      queue = running_.lock();
      const bool is_running = queue != nullptr;
      if (!is_running) {
        queue = std::make_shared<Queue>();
        running_ = queue;
      }
      queue->push_back(std::move(work));
      if (is_running) {
        return;
      }
    }
    run(std::move(queue));
  }

 private:
  using Queue = std::deque<std::function<void()>>;

  void run(std::shared_ptr<Queue> queue) {
    executor_.post([self = shared_from_this(), queue = std::move(queue)] {
      std::function<void()> work;
      {
        const std::lock_guard lock(self->mutex_);
        work = std::move(queue->front());
        queue->pop_front();
      }
      work();
      {
        const std::lock_guard lock(self->mutex_);
        if (queue->empty()) {
          self->running_.reset();
          return;
        }
      }
      self->run(queue);
    });
  }

  Executor& executor_;
  std::mutex mutex_;             // guards what follows, and the queue
  std::weak_ptr<Queue> running_;  // none: nothing waits or runs
};

}  // namespace kuma::kds
