#pragma once

#include "absl/status/status.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "policy/conf_view.h"

namespace kuma::policy::meshloadbalancingstrategy {

// What `loadBalancer` means in Envoy (spec/policy-load-balancing.md §5). An absent one changes nothing.

void set_balancer(const ConfView& balancer, ::envoy::config::cluster::v3::Cluster& cluster);

// The hash policies of the balancer's type; nothing when the type does not hash.
std::vector<ConfView> hash_policies(const ConfView& balancer);
// Appends them to each route that leads to a cluster. Redirects and direct answers have no use for them.
void add_hash_policies(const ConfView& balancer, ::envoy::config::route::v3::RouteConfiguration& config);
// The same within a listener; one without HTTP stays as it is.
absl::Status add_hash_policies(const ConfView& balancer, ::envoy::config::listener::v3::Listener& listener);

}  // namespace kuma::policy::meshloadbalancingstrategy
