#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "dp/fd.h"

namespace kuma::dp {

// Passes what a child writes on to one of our own descriptors, unchanged, and shows each line to `on_line` on the way.
// If nobody reads our output the child waits, as it would without us; nothing else in this program does.
//
// Thread: has one of its own, on which `on_line` is called.
class OutputPump {
 public:
  using OnLine = std::function<void(std::string_view line)>;  // without newline; the first 16 KiB of a longer line

  OutputPump(Fd source, int sink, OnLine on_line);
  ~OutputPump();  // finish(0)

  // Takes what is left in the pipe and ends; what cannot be passed on within `patience` is dropped. For when the child
  // is gone.
  void finish(std::chrono::milliseconds patience);

 private:
  void run();
  bool pass_on(std::string_view bytes);
  void split(std::string_view bytes);

  Fd source_;
  const int sink_;
  const OnLine on_line_;
  Fd stop_event_;
  std::atomic<int> patience_ms_{-1};  // -1: not asked to finish
  std::string line_;
  std::thread thread_;
};

}  // namespace kuma::dp
