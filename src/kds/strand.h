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
class Strand : public std::enable_shared_from_this<Strand> {
 public:
  explicit Strand(Executor& executor) : executor_(executor) {}

  void post(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      if (running_) {
        waiting_.push_back(std::move(work));
        return;
      }
      running_ = true;
    }
    run(std::move(work));
  }

 private:
  // What is about to run lies with the executor and not with the strand that its owner holds: an executor that ends without
  // having run it lets go of both.
  void run(std::function<void()> work) {
    executor_.post([self = shared_from_this(), work = std::move(work)] {
      work();
      std::function<void()> next;
      {
        const std::lock_guard lock(self->mutex_);
        self->running_ = !self->waiting_.empty();
        if (!self->running_) {
          return;
        }
        next = std::move(self->waiting_.front());
        self->waiting_.pop_front();
      }
      self->run(std::move(next));
    });
  }

  Executor& executor_;
  std::mutex mutex_;  // guards what follows
  std::deque<std::function<void()>> waiting_;
  bool running_ = false;
};

}  // namespace kuma::kds
