#pragma once

#include <algorithm>

#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/dataplane_insight.pb.h"

namespace kuma::insight {

// Whether a subscription has begun and not ended.
template <typename Subscription>
bool is_open(const Subscription& subscription) {
  return subscription.has_connect_time() && !subscription.has_disconnect_time();
}

// Whether the owner of an insight's subscriptions is connected.
template <typename Subscriptions>
bool is_online(const Subscriptions& subscriptions) {
  return std::any_of(subscriptions.begin(), subscriptions.end(), [](const auto& one) { return is_open(one); });
}

enum class ProxyStatus { Online, PartiallyDegraded, Offline };

// spec/rest-api.md §6.1. `insight` may be null: the proxy never connected.
ProxyStatus dataplane_status(const mesh::v1alpha1::Dataplane& dataplane,
                             const mesh::v1alpha1::DataplaneInsight* insight);

}  // namespace kuma::insight
