#include "xds/server/push_scheduler.h"

namespace kuma::xds {

void PushScheduler::place(Entries::iterator entry) {
  const Entry& proxy = entry->second;
  if (proxy.mark == 0 || proxy.busy) {
    return;
  }
  if (proxy.waits_until) {
    waiting_.emplace(std::pair(*proxy.waits_until, proxy.mark), entry);
  } else {
    ready_.emplace(proxy.mark, entry);
  }
}

void PushScheduler::unplace(Entries::iterator entry) {
  const Entry& proxy = entry->second;
  ready_.erase(proxy.mark);
  if (proxy.waits_until) {
    waiting_.erase({*proxy.waits_until, proxy.mark});
  }
}

void PushScheduler::drop_if_unused(Entries::iterator entry) {
  if (entry->second.mark == 0 && !entry->second.busy && !entry->second.waits_until) {
    entries_.erase(entry);
  }
}

void PushScheduler::mark(const ProxyKey& proxy, Reason reason, const PropagationPtr& propagation) {
  const auto entry = entries_.try_emplace(proxy).first;
  Entry& marked = entry->second;
  if (propagation != nullptr && marked.propagations.size() < kPropagationsMax) {
    marked.propagations.push_back(propagation);
  }
  marked.only_resync = marked.only_resync && reason == Reason::Resync;
  if (marked.mark == 0) {
    marked.mark = ++last_mark_;
    place(entry);
  }
}

std::optional<PushScheduler::Work> PushScheduler::take_next(MonotonicTime now) {
  while (!waiting_.empty() && waiting_.begin()->first.first <= now) {
    const auto entry = waiting_.begin()->second;
    unplace(entry);
    entry->second.waits_until.reset();
    place(entry);
  }
  if (ready_.empty()) {
    return std::nullopt;
  }
  const auto entry = ready_.begin()->second;
  unplace(entry);
  Entry& proxy = entry->second;
  Work work{entry->first, std::move(proxy.propagations), proxy.only_resync};
  proxy.mark = 0;
  proxy.busy = true;
  proxy.propagations.clear();
  proxy.only_resync = true;
  return work;
}

void PushScheduler::done(const ProxyKey& proxy) {
  const auto entry = entries_.find(proxy);
  if (entry == entries_.end()) {
    return;
  }
  entry->second.busy = false;
  place(entry);
  drop_if_unused(entry);
}

void PushScheduler::sent(const ProxyKey& proxy, MonotonicTime now) {
  const auto entry = entries_.try_emplace(proxy).first;
  unplace(entry);
  entry->second.waits_until = now + limits_.ack_wait_max;
  place(entry);
}

void PushScheduler::acknowledged(const ProxyKey& proxy) {
  const auto entry = entries_.find(proxy);
  if (entry == entries_.end()) {
    return;
  }
  unplace(entry);
  entry->second.waits_until.reset();
  place(entry);
  drop_if_unused(entry);
}

void PushScheduler::forget(const ProxyKey& proxy) {
  if (const auto entry = entries_.find(proxy); entry != entries_.end()) {
    unplace(entry);
    entries_.erase(entry);
  }
}

std::optional<MonotonicTime> PushScheduler::wake_at() const {
  if (waiting_.empty()) {
    return std::nullopt;
  }
  return waiting_.begin()->first.first;
}

}  // namespace kuma::xds
