#include "policy/meshloadbalancingstrategy/balancer.h"

#include "policy/envoy/edit.h"

namespace kuma::policy::meshloadbalancingstrategy {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::listener::v3::Listener;
using ::envoy::config::route::v3::Route;
using ::envoy::config::route::v3::RouteAction;
using ::envoy::config::route::v3::RouteConfiguration;

template <typename Config, typename Wrapper>
void set_size(const ConfView& size, Config& config, Wrapper* (Config::*field)()) {
  if (auto value = size.number()) {
    (config.*field)()->set_value(static_cast<decltype((config.*field)()->value())>(*value));
  }
}

void set_ring_hash(const ConfView& ring, Cluster& cluster) {
  using Config = Cluster::RingHashLbConfig;
  cluster.set_lb_policy(Cluster::RING_HASH);
  if (!ring) {
    return;
  }
  Config& config = *cluster.mutable_ring_hash_lb_config();
  config.set_hash_function(ring["hashFunction"].text() == "MurmurHash2" ? Config::MURMUR_HASH_2 : Config::XX_HASH);
  set_size(ring["minRingSize"], config, &Config::mutable_minimum_ring_size);
  set_size(ring["maxRingSize"], config, &Config::mutable_maximum_ring_size);
}

// False: nothing is known to hash by.
bool set_hash_policy(const ConfView& from, RouteAction::HashPolicy& to) {
  const std::string_view type = from["type"].text();
  if (type == "Header") {
    to.mutable_header()->set_header_name(std::string(from["header"]["name"].text()));
  } else if (type == "Cookie") {
    const ConfView cookie = from["cookie"];
    to.mutable_cookie()->set_name(std::string(cookie["name"].text()));
    to.mutable_cookie()->set_path(std::string(cookie["path"].text()));
    if (auto ttl = cookie["ttl"].duration()) {
      *to.mutable_cookie()->mutable_ttl() = envoy::to_duration(*ttl);
    }
  } else if (type == "QueryParameter") {
    to.mutable_query_parameter()->set_name(std::string(from["queryParameter"]["name"].text()));
  } else if (type == "FilterState") {
    to.mutable_filter_state()->set_key(std::string(from["filterState"]["key"].text()));
  } else {
    return false;
  }
  to.set_terminal(from["terminal"].boolean());
  return true;
}

}  // namespace

void set_balancer(const ConfView& balancer, Cluster& cluster) {
  const std::string_view type = balancer["type"].text();
  if (type == "RoundRobin") {
    cluster.set_lb_policy(Cluster::ROUND_ROBIN);
  } else if (type == "LeastRequest") {
    cluster.set_lb_policy(Cluster::LEAST_REQUEST);
    if (const ConfView choices = balancer["leastRequest"]["choiceCount"]) {
      set_size(choices, *cluster.mutable_least_request_lb_config(), &Cluster::LeastRequestLbConfig::mutable_choice_count);
    }
  } else if (type == "Random") {
    cluster.set_lb_policy(Cluster::RANDOM);
  } else if (type == "RingHash") {
    set_ring_hash(balancer["ringHash"], cluster);
  } else if (type == "Maglev") {
    cluster.set_lb_policy(Cluster::MAGLEV);
    if (const ConfView size = balancer["maglev"]["tableSize"]) {
      set_size(size, *cluster.mutable_maglev_lb_config(), &Cluster::MaglevLbConfig::mutable_table_size);
    }
  }
}

std::vector<ConfView> hash_policies(const ConfView& balancer) {
  const std::string_view type = balancer["type"].text();
  if (type != "RingHash" && type != "Maglev") {
    return {};
  }
  return balancer[type == "RingHash" ? "ringHash" : "maglev"]["hashPolicies"].items();
}

void add_hash_policies(const ConfView& balancer, RouteConfiguration& config) {
  const std::vector<ConfView> policies = hash_policies(balancer);
  envoy::for_each_route(config, [&](Route& route) {
    if (!route.has_route()) {
      return;
    }
    for (const ConfView& policy : policies) {
      if (RouteAction::HashPolicy hash; set_hash_policy(policy, hash)) {
        *route.mutable_route()->add_hash_policy() = std::move(hash);
      }
    }
  });
}

absl::Status add_hash_policies(const ConfView& balancer, Listener& listener) {
  return envoy::edit_hcms(listener, [&](envoy::Hcm& hcm) {
    if (hcm.has_route_config()) {
      add_hash_policies(balancer, *hcm.mutable_route_config());
    }
    return absl::OkStatus();
  });
}

}  // namespace kuma::policy::meshloadbalancingstrategy
