#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mesh/v1alpha1/traffic_route.pb.h"
#include "policy/envoy/destinations.h"
#include "policy/envoy/names.h"
#include "policy/envoy/outbound.h"
#include "policy/legacy.h"
#include "policy/policy.h"
#include "xds/gen/proxy_context.h"

namespace kuma::xds {
namespace {

using mesh::Protocol;
using mesh::v1alpha1::TrafficRoute;
using policy::envoy::OutboundListener;
using policy::envoy::OutboundRoute;
using policy::envoy::WeightedCluster;
using Destination = google::protobuf::Map<std::string, std::string>;

model::ResourcePtr resource_or_null(const model::ResourcePtr* found) { return found == nullptr ? nullptr : *found; }

// An outbound, and what was decided for it.
struct RoutedOutbound {
  OutboundListener listener;
  // The clusters of all its routes, with the tags they choose instances by.
  std::vector<std::pair<std::string, mesh::Tags>> clusters;
};

class OutboundGenerator {
 public:
  explicit OutboundGenerator(ProxyContext& context)
      : context_(context),
        routes_(context.view.policies_of("TrafficRoute"), context.dataplane),
        timeouts_(context.view.policies_of("Timeout"), context.dataplane),
        circuit_breakers_(context.view.policies_of("CircuitBreaker"), context.dataplane),
        health_checks_(context.view.policies_of("HealthCheck"), context.dataplane),
        retries_(context.view.policies_of("Retry"), context.dataplane),
        rate_limits_(context.view.policies_of("RateLimit"), context.dataplane),
        tags_header_(policy::envoy::tags_header(context.dataplane.tag_sets)),
        destinations_(context.view, context.resources) {}

  void run() {
    for (const policy::ProxyOutbound& outbound : context_.resources.outbounds) {
      RoutedOutbound routed = route(outbound);
      if (!made_by_policy(routed.listener)) {
        outbounds_.push_back(std::move(routed));
      }
    }
    for (const RoutedOutbound& outbound : outbounds_) {
      put_clusters(outbound);
    }
    for (RoutedOutbound& outbound : outbounds_) {
      OutboundListener& listener = outbound.listener;
      listener.retry = for_default_split(retries_, std::string(mesh::tag(listener.tags, mesh::kServiceTag)));
      policy::ProxyResources::put(context_.resources.listeners,
                                  policy::envoy::draft_outbound_listener(std::move(listener)));
    }
  }

 private:
  // Some policies make outbounds themselves, with no regard to a TrafficRoute.
  bool made_by_policy(const OutboundListener& listener) {
    Protocol own = destinations_.protocol_of(listener.tags).value_or(Protocol::Unknown);
    return std::ranges::any_of(policy::policies(), [&](const policy::Policy& one) {
      return one.makes_outbounds != nullptr && one.makes_outbounds(context_.policies, own) &&
             one.makes_outbounds(context_.policies, listener.protocol);
    });
  }

  // Where requests of an outbound go, by its TrafficRoute; without one, nowhere.
  RoutedOutbound route(const policy::ProxyOutbound& outbound) {
    RoutedOutbound routed;
    OutboundListener& listener = routed.listener;
    listener.address = outbound.address;
    listener.port = outbound.port;
    listener.transparent = context_.transparent();
    listener.tags = outbound.tags;
    const std::string service = outbound.service();
    context_.resources.services.insert(service);
    const model::ResourcePtr* route = routes_.select(service);
    if (route == nullptr) {
      default_split_.insert(service);
      return routed;
    }
    listener.traffic_route = *route;
    listener.timeout = resource_or_null(timeouts_.select(service));
    if (!context_.view.zone_egress_enabled()) {
      listener.rate_limit = resource_or_null(rate_limits_.select(service));
    }
    listener.tags_header = tags_header_;
    const auto& conf = (*route)->as<TrafficRoute>().conf();
    for (int i = 0; i < conf.http_size(); ++i) {
      add_route(i, conf.http(i).split(), conf.http(i).destination(), routed);
    }
    size_t before_default = routed.clusters.size();
    add_route(std::nullopt, conf.split(), conf.destination(), routed);
    for (size_t i = before_default; i < routed.clusters.size(); ++i) {
      default_split_.emplace(mesh::tag(routed.clusters[i].second, mesh::kServiceTag));
    }
    listener.protocol = protocol_of(routed.clusters);
    return routed;
  }

  void add_route(std::optional<int> http_entry, const google::protobuf::RepeatedPtrField<TrafficRoute::Split>& split,
                 const Destination& destination, RoutedOutbound& routed) {
    OutboundRoute route{.http_entry = http_entry, .clusters = {}};
    bool rewrite_host = false;
    auto add = [&](const Destination& to, uint32_t weight) {
      mesh::Tags tags = resolve(to, routed.listener.tags);
      rewrite_host = rewrite_host || destinations_.leaves_mesh(tags);
      std::string name = policy::envoy::destination_cluster_name(tags);
      route.clusters.push_back({name, weight});
      routed.clusters.emplace_back(std::move(name), std::move(tags));
    };
    for (const auto& part : split) {
      if (part.weight().value() > 0) {  // Envoy knows no weight of 0
        add(part.destination(), part.weight().value());
      }
    }
    if (split.empty() && !destination.empty()) {
      add(destination, 1);
    }
    if (!route.clusters.empty()) {
      route.rewrite_host = rewrite_host;
      routed.listener.routes.push_back(std::move(route));
    }
  }

  // `*` stands for the outbound's own value, and so does a tag that the destination does not mention.
  static mesh::Tags resolve(const Destination& destination, const mesh::Tags& outbound) {
    mesh::Tags tags;
    for (const auto& [key, value] : destination) {
      if (value != "*") {
        tags.emplace(key, value);
      }
    }
    tags.insert(outbound.begin(), outbound.end());
    return tags;
  }

  // Folded over the instances of the services of all clusters.
  Protocol protocol_of(const std::vector<std::pair<std::string, mesh::Tags>>& clusters) {
    std::optional<Protocol> folded;
    for (const auto& [name, tags] : clusters) {
      if (auto protocol = destinations_.protocol_of(tags)) {
        folded = folded ? mesh::common_protocol(*folded, *protocol) : protocol;
      }
    }
    return folded.value_or(Protocol::Unknown);
  }

  // CircuitBreaker and Retry are chosen for the services that a default route leads to, and for no other ones.
  model::ResourcePtr for_default_split(const policy::OutboundPolicies& policies, const std::string& service) const {
    return default_split_.contains(service) ? resource_or_null(policies.select(service)) : nullptr;
  }

  void put_clusters(const RoutedOutbound& outbound) {
    for (const auto& [name, tags] : outbound.clusters) {
      destinations_.put(
          {.name = name,
           .tags = tags,
           .tls = {},
           .timeout = outbound.listener.timeout,
           .circuit_breaker = for_default_split(circuit_breakers_, std::string(mesh::tag(tags, mesh::kServiceTag))),
           .health_check = for_default_split(health_checks_, std::string(mesh::tag(tags, mesh::kServiceTag))),
           .traffic_route = outbound.listener.traffic_route});
    }
  }

  ProxyContext& context_;
  policy::OutboundPolicies routes_;
  policy::OutboundPolicies timeouts_;
  policy::OutboundPolicies circuit_breakers_;
  policy::OutboundPolicies health_checks_;
  policy::OutboundPolicies retries_;
  policy::OutboundPolicies rate_limits_;
  std::string tags_header_;
  policy::envoy::Destinations destinations_;
  std::vector<RoutedOutbound> outbounds_;
  std::set<std::string> default_split_;  // services
};

}  // namespace

absl::Status generate_outbounds(ProxyContext& context) {
  OutboundGenerator(context).run();
  return absl::OkStatus();
}

}  // namespace kuma::xds
