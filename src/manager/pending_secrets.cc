#include "manager/pending_secrets.h"

namespace kuma::manager {

bool PendingSecrets::add(const model::ResourceKey& secret) {
  const std::lock_guard lock(mutex_);
  return pending_.try_emplace(secret).second;
}

void PendingSecrets::finish(const model::ResourceKey& secret) {
  std::vector<Waiter> waiters;
  {
    const std::lock_guard lock(mutex_);
    const auto found = pending_.find(secret);
    if (found == pending_.end()) {
      return;
    }
    waiters = std::move(found->second);
    pending_.erase(found);
  }
  changed_.notify_all();
  for (const Waiter& waiter : waiters) {
    waiter();
  }
}

void PendingSecrets::when_finished(const model::ResourceKey& secret, Waiter waiter) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      return;
    }
    if (const auto found = pending_.find(secret); found != pending_.end()) {
      found->second.push_back(std::move(waiter));
      return;
    }
  }
  waiter();
}

bool PendingSecrets::wait(const std::string& mesh, std::string_view prefix, std::chrono::nanoseconds wait_max) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, wait_max, [&] { return stopped_ || !any(mesh, prefix); });
  return !any(mesh, prefix);
}

bool PendingSecrets::empty() const {
  const std::lock_guard lock(mutex_);
  return pending_.empty();
}

void PendingSecrets::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    for (auto& [secret, waiters] : pending_) {
      waiters.clear();
    }
  }
  changed_.notify_all();
}

bool PendingSecrets::any(const std::string& mesh, std::string_view prefix) const {
  const auto first = pending_.lower_bound({mesh, std::string(prefix)});
  return first != pending_.end() && first->first.mesh == mesh && first->first.name.starts_with(prefix);
}

}  // namespace kuma::manager
