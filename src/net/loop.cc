#include "net/loop.h"

#include <sys/resource.h>

#include <cassert>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "boost/asio/post.hpp"
#include "boost/asio/steady_timer.hpp"
#include "fmt/format.h"
#include "net/loop_impl.h"

namespace kuma::net {

// One post_after(). The loop's set keeps it while it is set; the handle only says that nobody wants it any more.
struct LoopImpl::Timer {
  std::optional<asio::steady_timer> timer;
  std::function<void()> work;
  std::atomic<bool> cancelled{false};
};

// Knows its loop weakly: a handle may lie in work that was posted to the loop and never ran.
struct LoopImpl::TimerHandle {
  std::weak_ptr<LoopImpl> of;
  std::shared_ptr<Timer> timer;

  ~TimerHandle() {
    timer->cancelled = true;
    if (const auto loop = of.lock(); loop != nullptr && (loop->is_current() || loop->ended_)) {
      timer->work = nullptr;
      timer->timer.reset();
      loop->timers_.erase(timer);
    }
  }
};

LoopImpl::LoopImpl() : guard_(io_.get_executor()) {}

LoopImpl::~LoopImpl() { abandon(); }

void LoopImpl::run() {
  thread_ = std::this_thread::get_id();
  io_.run();
  thread_ = std::thread::id();
  ended_ = true;
}

void LoopImpl::stop() {
  stopped_ = true;
  guard_.reset();
  io_.stop();
}

std::shared_ptr<void> LoopImpl::let_go(void* resident) {
  const auto found = residents_.find(resident);
  if (found == residents_.end()) {
    return nullptr;
  }
  auto kept = std::move(found->second);
  residents_.erase(found);
  return kept;
}

void LoopImpl::abandon() {
  std::exchange(residents_, {}).clear();
  auto timers = std::exchange(timers_, {});
  for (const auto& timer : timers) {
    timer->timer.reset();
    timer->work = nullptr;
  }
}

bool LoopImpl::is_current() const { return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }

void LoopImpl::post(std::function<void()> work) {
  if (!stopped_) {
    asio::post(io_, std::move(work));
  }
}

std::shared_ptr<void> LoopImpl::post_after(std::chrono::nanoseconds delay, std::function<void()> work) {
  auto timer = std::make_shared<Timer>();
  timer->work = std::move(work);
  auto arm = [this, timer, delay] {
    if (timer->cancelled || stopped_) {
      return;
    }
    timer->timer.emplace(io_, delay);
    timers_.insert(timer);
    timer->timer->async_wait([this, weak = std::weak_ptr(timer)](boost::system::error_code error) {
      auto fired = weak.lock();
      if (error || !fired || fired->cancelled) {
        return;
      }
      timers_.erase(fired);
      fired->timer.reset();  // whoever holds the handle may do so for longer than there is a loop
      auto run = std::move(fired->work);
      run();
    });
  };
  if (is_current()) {
    arm();
  } else {
    post(arm);
  }
  return std::make_shared<TimerHandle>(weak_from_this(), std::move(timer));
}

void LoopImpl::run_and_wait(const std::function<void()>& work) {
  if (is_current()) {
    work();
    return;
  }
  struct Wait {
    std::mutex mutex;
    std::condition_variable changed;
    bool claimed = false;
    bool done = false;
  };
  auto wait = std::make_shared<Wait>();
  post([wait, &work] {
    {
      std::lock_guard lock(wait->mutex);
      if (wait->claimed) {
        return;
      }
      wait->claimed = true;
    }
    work();
    std::lock_guard lock(wait->mutex);
    wait->done = true;
    wait->changed.notify_all();
  });
  std::unique_lock lock(wait->mutex);
  // A loop that ends before it gets to our work never will: then nobody else touches its connections and we may.
  while (!wait->done) {
    wait->changed.wait_for(lock, std::chrono::milliseconds(20));
    if (!wait->claimed && ended_) {
      wait->claimed = true;
      lock.unlock();
      work();
      return;
    }
  }
}

const std::string& LoopImpl::http_date() {
  const auto now = std::chrono::floor<std::chrono::seconds>(system_clock().wall_now());
  if (now.time_since_epoch().count() != http_date_second_) {
    static constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto day = std::chrono::floor<std::chrono::days>(now);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(now - day);
    http_date_ = fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday(day).c_encoding()],
                             static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                             static_cast<int>(date.year()), time.hours().count(), time.minutes().count(),
                             time.seconds().count());
    http_date_second_ = now.time_since_epoch().count();
  }
  return http_date_;
}

bool raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return false;
  }
  if (limit.rlim_cur == limit.rlim_max) {
    return true;
  }
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

struct Loops::Impl {
  std::vector<std::shared_ptr<LoopImpl>> loops;
  std::vector<std::thread> threads;
  std::atomic<size_t> turn{0};
};

Loops::Loops(size_t count) : impl_(std::make_unique<Impl>()) {
  raise_descriptor_limit();
  if (count == 0) {
    count = std::max(1U, std::thread::hardware_concurrency());
  }
  for (size_t i = 0; i < count; ++i) {
    auto loop = std::make_shared<LoopImpl>();
    impl_->loops.push_back(loop);
    impl_->threads.emplace_back([loop] { loop->run(); });
  }
}

Loops::~Loops() { stop(); }

size_t Loops::size() const { return impl_->loops.size(); }

Loop& Loops::at(size_t index) { return *impl_->loops.at(index); }

Loop& Loops::next() { return *impl_->loops[impl_->turn++ % impl_->loops.size()]; }

void Loops::stop() {
  for (auto& loop : impl_->loops) {
    assert(!loop->is_current());
    loop->stop();
  }
  for (auto& thread : impl_->threads) {
    thread.join();
  }
  impl_->threads.clear();
  for (auto& loop : impl_->loops) {
    loop->abandon();
  }
}

std::shared_ptr<LoopImpl> LoopsAccess::shared(Loops& loops, size_t index) { return loops.impl_->loops.at(index); }

}  // namespace kuma::net
