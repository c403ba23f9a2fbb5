#include "net/worker_pool.h"

#include <algorithm>

namespace kuma::net {

WorkerPool::WorkerPool(size_t threads, size_t queue_len_max) : queue_len_max_(queue_len_max) {
  std::lock_guard lock(queue_mutex_);  // run() looks at threads_ only after this
  for (size_t i = 0; i < std::max<size_t>(threads, 1); ++i) {
    threads_.emplace_back([this] { run(); });
  }
}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::post(std::function<void()> work) {
  std::unique_lock lock(queue_mutex_);
  if (!is_own_thread()) {
    queue_changed_.wait(lock, [this] { return stopped_ || queue_.size() < queue_len_max_; });
  }
  if (!stopped_) {
    queue_.push_back(std::move(work));
    queue_changed_.notify_all();
  }
}

bool WorkerPool::try_post(std::function<void()> work) {
  std::lock_guard lock(queue_mutex_);
  if (stopped_ || queue_.size() >= queue_len_max_) {
    return false;
  }
  queue_.push_back(std::move(work));
  queue_changed_.notify_all();
  return true;
}

size_t WorkerPool::queue_len() const {
  std::lock_guard lock(queue_mutex_);
  return queue_.size();
}

void WorkerPool::stop() {
  std::deque<std::function<void()>> dropped;
  {
    std::lock_guard lock(queue_mutex_);
    stopped_ = true;
    dropped.swap(queue_);
    queue_changed_.notify_all();
  }
  for (auto& thread : threads_) {
    if (thread.joinable()) {
      thread.join();
    }
  }
}

void WorkerPool::run() {
  std::unique_lock lock(queue_mutex_);
  while (true) {  // until stop()
    queue_changed_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
    if (stopped_) {
      return;
    }
    auto work = std::move(queue_.front());
    queue_.pop_front();
    queue_changed_.notify_all();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

bool WorkerPool::is_own_thread() const {
  return std::ranges::any_of(threads_, [](const auto& thread) { return thread.get_id() == std::this_thread::get_id(); });
}

}  // namespace kuma::net
