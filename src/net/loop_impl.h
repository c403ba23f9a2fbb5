#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "boost/asio/executor_work_guard.hpp"
#include "boost/asio/io_context.hpp"
#include "net/loop.h"

namespace kuma::net {

namespace asio = boost::asio;

// Buffers that the connections of one loop take turns with, so that an idle connection keeps none of its own. They are
// in use only within one turn of one connection (see Connection); `plain` and `out` are empty between turns.
struct Scratch {
  static constexpr size_t kReadSize = 64 * 1024;
  std::vector<char> read = std::vector<char>(kReadSize);
  std::string plain;  // small pieces waiting to become one TLS record
  std::string out;    // what the kernel gets next
};

// The one implementation of Loop: an Asio io_context that one thread runs.
//
// Life: made, run() by its thread until stop(). Connections and responders hold it shared, so that a late post() from
// a worker finds it stopped instead of gone.
class LoopImpl final : public Loop, public std::enable_shared_from_this<LoopImpl> {
 public:
  LoopImpl();
  ~LoopImpl() override;

  void run();
  void stop();
  // Drops the timers that are still set and what keep() still holds; after run() has returned.
  void abandon();

  // Holds an object that lives by itself on this loop (a connection, a call) until it lets go, or the loop is abandoned.
  // What waits in the loop refers to it weakly, so that nothing keeps a stopped loop alive. On the loop's thread.
  void keep(std::shared_ptr<void> resident) { residents_[resident.get()] = resident; }
  std::shared_ptr<void> let_go(void* resident);

  bool is_current() const override;
  void post(std::function<void()> work) override;
  std::shared_ptr<void> post_after(std::chrono::nanoseconds delay, std::function<void()> work) override;

  // Runs `work` on the loop and returns when it is done: at once on the loop's own thread or when the loop has ended.
  void run_and_wait(const std::function<void()>& work);

  asio::io_context& io() { return io_; }
  Scratch& scratch() { return scratch_; }
  // `Tue, 15 Nov 1994 08:12:31 GMT`, of now.
  const std::string& http_date();

 private:
  struct Timer;
  struct TimerHandle;

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::atomic<std::thread::id> thread_{};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> ended_{false};
  absl::flat_hash_set<std::shared_ptr<Timer>> timers_;              // of the loop's thread
  absl::flat_hash_map<void*, std::shared_ptr<void>> residents_;     // the same
  Scratch scratch_;
  int64_t http_date_second_ = -1;
  std::string http_date_;
};

// How this folder gets from the public types to the implementation.
struct LoopsAccess {
  static std::shared_ptr<LoopImpl> shared(Loops& loops, size_t index);
  // Every Loop that reaches this folder was made by it.
  static std::shared_ptr<LoopImpl> shared(Loop& loop) { return static_cast<LoopImpl&>(loop).shared_from_this(); }
};

// Lets the process open as many descriptors as the system allows it. True when that is so afterwards.
bool raise_descriptor_limit();

}  // namespace kuma::net
