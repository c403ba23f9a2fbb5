#include "kds/refusals.h"

#include <algorithm>

namespace kuma::kds {
namespace {

constexpr size_t kNameLengthMax = 253;
constexpr size_t kLineLengthMax = 1000;

}  // namespace

std::string to_problem_line(std::string text) {
  text.resize(std::min(text.size(), kLineLengthMax));
  std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, ' ');
  return text;
}

void Refusals::add(const std::string& zone, std::string message, WallTime now) {
  Refusal refusal{.zone = to_problem_line(zone.substr(0, kNameLengthMax)), .message = to_problem_line(std::move(message)), .count = 1, .first = now, .last = now};
  const std::lock_guard lock(mutex_);
  const auto same = std::ranges::find_if(kept_, [&](const Refusal& one) { return one.zone == refusal.zone && one.message == refusal.message; });
  if (same != kept_.end()) {
    refusal.count += same->count;
    refusal.first = same->first;
    kept_.erase(same);
  } else if (kept_.size() == kKept) {
    kept_.erase(kept_.begin());
    ++left_out_;
  }
  kept_.push_back(std::move(refusal));
}

void Refusals::forget(const std::string& zone) {
  const std::lock_guard lock(mutex_);
  std::erase_if(kept_, [&](const Refusal& one) { return one.zone == zone; });
}

std::vector<Refusals::Refusal> Refusals::list() const {
  const std::lock_guard lock(mutex_);
  return {kept_.rbegin(), kept_.rend()};
}

uint64_t Refusals::left_out() const {
  const std::lock_guard lock(mutex_);
  return left_out_;
}

}  // namespace kuma::kds
