#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"

namespace kuma::kds {

// Zones that a global turned away and that it keeps nothing else of: one that never registered has no insight to show why.
// Strangers choose the names and some of the text, so both are cut and only the newest kKept that differ stay.
//
// Thread: any.
class Refusals {
 public:
  static constexpr size_t kKept = 50;
  struct Refusal {
    std::string zone;  // as it calls itself; empty: it gave no name
    std::string message;
    uint64_t count = 0;
    WallTime first{}, last{};
  };

  void add(const std::string& zone, std::string message, WallTime now);
  // The zone is connected: what it was refused for is over.
  void forget(const std::string& zone);

  // The newest first.
  std::vector<Refusal> list() const;
  // How many were dropped for newer ones since the start.
  uint64_t left_out() const;

 private:
  mutable std::mutex mutex_;   // guards all below
  std::vector<Refusal> kept_;  // the oldest first
  uint64_t left_out_ = 0;
};

// Of printable ASCII and at most 1,000 characters: what comes from peers, in a form that every reader takes.
std::string to_problem_line(std::string text);

}  // namespace kuma::kds
