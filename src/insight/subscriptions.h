#pragma once

#include <cstddef>

#include "base/clock.h"
#include "google/protobuf/timestamp.pb.h"
#include "insight/status.h"

namespace kuma::insight {

// The upkeep of the subscriptions in an insight, which all kinds of insights share.

google::protobuf::Timestamp to_timestamp(WallTime time);
WallTime to_wall_time(const google::protobuf::Timestamp& timestamp);

// Puts a subscription's newest state in: in place of the one with its id, else at the end, closing former ones that are
// still open. Keeps the newest `limit` (0: none).
template <typename Insight, typename Subscription>
void upsert_subscription(Insight& insight, const Subscription& subscription, WallTime now, size_t limit) {
  auto& all = *insight.mutable_subscriptions();
  const auto known =
      std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.id() == subscription.id(); });
  if (known != all.end()) {
    *known = subscription;
  } else {
    for (Subscription& former : all) {
      if (!former.has_disconnect_time()) {
        *former.mutable_disconnect_time() = to_timestamp(now);
      }
    }
    *all.Add() = subscription;
  }
  const auto limit_count = static_cast<int>(limit);
  if (all.size() > limit_count) {
    all.DeleteSubrange(0, all.size() - limit_count);
  }
}

}  // namespace kuma::insight
