#include "security/key_pool.h"

#include <deque>
#include <mutex>
#include <optional>

#include "base/status.h"

namespace kuma::security {

// Shared with the work under way, which may outlive the pool.
struct KeyPool::State : std::enable_shared_from_this<State> {
  State(Executor& on, KeyPoolLimits with, Generate by) : executor(on), limits(with), generate(std::move(by)) {}

  // Starts making a key unless one is being made or none is needed.
  void make_one_if_needed() {
    {
      const std::lock_guard lock(mutex);
      if (stopped || making || (waiting.empty() && ready.size() >= limits.ready_count)) {
        return;
      }
      making = true;
    }
    executor.post([self = shared_from_this()] { self->make_one(); });
  }

  void make_one() {
    if (is_stopped()) {
      return;
    }
    absl::StatusOr<PrivateKey> key = generate();
    Taker taker;
    {
      const std::lock_guard lock(mutex);
      making = false;
      if (stopped) {
        return;
      }
      if (!waiting.empty()) {
        taker = std::move(waiting.front());
        waiting.pop_front();
      } else if (key.ok()) {
        ready.push_back(*key);
      } else {
        return;  // the next taker tries again
      }
    }
    if (taker) {
      taker(std::move(key));
    }
    make_one_if_needed();
  }

  bool is_stopped() {
    const std::lock_guard lock(mutex);
    return stopped;
  }

  std::optional<PrivateKey> take_ready() {
    const std::lock_guard lock(mutex);
    if (ready.empty()) {
      return std::nullopt;
    }
    PrivateKey key = std::move(ready.front());
    ready.pop_front();
    return key;
  }

  Executor& executor;
  const KeyPoolLimits limits;
  const Generate generate;
  std::mutex mutex;  // guards all below
  std::deque<PrivateKey> ready;
  std::deque<Taker> waiting;
  bool making = false;
  bool stopped = false;
};

KeyPool::KeyPool(Executor& executor, KeyPoolLimits limits, Generate generate)
    : state_(std::make_shared<State>(executor, limits, std::move(generate))) {
  state_->make_one_if_needed();
}

KeyPool::~KeyPool() { stop(); }

absl::StatusOr<PrivateKey> KeyPool::take() {
  std::optional<PrivateKey> key = state_->take_ready();
  state_->make_one_if_needed();
  return key ? *std::move(key) : state_->generate();
}

void KeyPool::take_async(Taker taker) {
  std::optional<PrivateKey> key;
  bool full = false;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopped) {
      return;
    }
    if (!state_->ready.empty()) {
      key = std::move(state_->ready.front());
      state_->ready.pop_front();
    } else if (state_->waiting.size() >= state_->limits.waiting_max) {
      full = true;
    } else {
      state_->waiting.push_back(std::move(taker));
    }
  }
  state_->make_one_if_needed();
  if (key) {
    taker(*std::move(key));
  } else if (full) {
    taker(absl::ResourceExhaustedError(
        fmt::format("more than {} requests wait for a key; try again later", state_->limits.waiting_max)));
  }
}

size_t KeyPool::ready_count() const {
  const std::lock_guard lock(state_->mutex);
  return state_->ready.size();
}

void KeyPool::stop() {
  const std::lock_guard lock(state_->mutex);
  state_->stopped = true;
  state_->ready.clear();
  state_->waiting.clear();
}

}  // namespace kuma::security
