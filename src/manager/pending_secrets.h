#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "model/resource.h"

namespace kuma::manager {

// Secrets that are on their way: their RSA keys are being made in the background. Who needs one waits for it here instead
// of finding nothing in the store. Thread: any.
class PendingSecrets {
 public:
  using Waiter = std::function<void()>;

  // False when it is on its way already.
  bool add(const model::ResourceKey& secret);
  // It has been stored, or given up. Calls who waits for it, on this thread.
  void finish(const model::ResourceKey& secret);

  // Calls the waiter once: now when the secret is not on its way, else when it is finished (on the finishing thread). Not
  // called any more after stop().
  void when_finished(const model::ResourceKey& secret, Waiter waiter);
  // The same for all of them that begin with a prefix in a mesh (empty: global ones): signing keys are looked for so.
  // Waits at most that long; returns at once when nothing is on its way. False when time ran out. Blocks: for workers, not
  // for loops, and never on the thread that makes keys.
  bool wait(const std::string& mesh, std::string_view prefix, std::chrono::nanoseconds wait_max);

  bool empty() const;
  // Wakes everybody up for good.
  void stop();

 private:
  bool any(const std::string& mesh, std::string_view prefix) const;  // with mutex_ held

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::map<model::ResourceKey, std::vector<Waiter>> pending_;
  bool stopped_ = false;
};

}  // namespace kuma::manager
