#include "xds/server/host_resolver.h"

#include <deque>
#include <map>
#include <optional>

#include "base/log.h"

namespace kuma::xds {

struct HostResolver::Impl : std::enable_shared_from_this<HostResolver::Impl> {
  Impl(std::chrono::nanoseconds i, TimerExecutor& e, Executor& w, Resolve r, OnChange c)
      : interval(i), executor(e), workers(w), resolve(std::move(r)), on_change(std::move(c)) {}

  struct Host {
    std::optional<std::string> address;  // none: not known yet
    bool queued = false;
    bool failed_once = false;
  };

  const std::chrono::nanoseconds interval;
  TimerExecutor& executor;
  Executor& workers;
  const Resolve resolve;
  const OnChange on_change;
  const std::shared_ptr<spdlog::logger> log = make_logger("xds.resolver");

  std::map<std::string, Host> hosts;
  std::deque<std::string> queue;
  size_t running = 0;
  std::shared_ptr<void> timer;
  bool stopped = false;

  void enqueue(const std::string& name, Host& host) {
    if (!host.queued) {
      host.queued = true;
      queue.push_back(name);
    }
  }

  void look_up() {
    while (running < kLookupsMax && !queue.empty()) {
      ++running;
      workers.post([self = shared_from_this(), name = queue.front()] {
        std::string address = self->resolve(name);
        self->executor.post([self, name, address = std::move(address)] { self->on_answer(name, address); });
      });
      queue.pop_front();
    }
  }

  void on_answer(const std::string& name, const std::string& address) {
    --running;
    if (stopped) {
      return;
    }
    if (const auto found = hosts.find(name); found != hosts.end()) {
      found->second.queued = false;
      take(name, found->second, address);
    }
    look_up();
  }

  void take(const std::string& name, Host& host, const std::string& address) {
    const bool doubtful = address.empty() && host.address && !host.address->empty() && !host.failed_once;
    host.failed_once = doubtful;
    if (doubtful || host.address == address) {
      return;
    }
    if (address.empty()) {
      log->error("the address {} does not resolve; what uses it is left out", name);
    }
    host.address = address;
    on_change(name, address);
  }

  void arm() {
    if (timer != nullptr || hosts.empty() || stopped) {
      return;
    }
    timer = executor.post_after(interval, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self == nullptr || self->stopped) {
        return;
      }
      self->timer = nullptr;
      for (auto& [name, host] : self->hosts) {
        self->enqueue(name, host);
      }
      self->look_up();
      self->arm();
    });
  }
};

HostResolver::HostResolver(std::chrono::nanoseconds interval, TimerExecutor& executor, Executor& workers, Resolve resolve,
                           OnChange on_change)
    : impl_(std::make_shared<Impl>(interval, executor, workers, std::move(resolve), std::move(on_change))) {}

HostResolver::~HostResolver() { stop(); }

void HostResolver::watch(const std::vector<std::string>& hosts) {
  std::map<std::string, Impl::Host> kept;
  for (const std::string& name : hosts) {
    const auto known = impl_->hosts.find(name);
    kept.emplace(name, known == impl_->hosts.end() ? Impl::Host{} : known->second);
  }
  impl_->hosts.swap(kept);
  for (auto& [name, host] : impl_->hosts) {
    if (!host.address) {
      impl_->enqueue(name, host);
    }
  }
  impl_->look_up();
  impl_->arm();
}

void HostResolver::stop() {
  impl_->stopped = true;
  impl_->queue.clear();
  impl_->timer = nullptr;
}

}  // namespace kuma::xds
