#include "policy/meshtcproute/apply.h"

#include "policy/conf_view.h"
#include "policy/envoy/destinations.h"
#include "policy/envoy/edit.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/split.h"
#include "policy/meshhttproute/apply.h"

namespace kuma::policy::meshtcproute {
namespace {

using ::envoy::config::listener::v3::Listener;
using mesh::Protocol;

constexpr char kName[] = "MeshTCPRoute";

// All that the listener of an outbound is made from.
struct TcpOutbound {
  ProxyOutbound outbound;
  bool transparent = false;
  envoy::Split split;
};

void make_listener(const TcpOutbound& from, Listener& listener) {
  envoy::set_outbound_listener(listener, from.outbound, from.transparent);
  auto& chain = *listener.add_filter_chains();
  if (from.split.empty()) {
    return;  // connections are closed: nothing usable was named, and going elsewhere is not what was asked for
  }
  envoy::TcpProxy proxy;
  proxy.set_stat_prefix(envoy::sanitize_stat(from.outbound.service()));
  if (from.split.clusters.size() == 1) {
    proxy.set_cluster(from.split.clusters.front().name);
  } else {
    for (const envoy::WeightedCluster& cluster : from.split.clusters) {
      auto& weighted = *proxy.mutable_weighted_clusters()->add_clusters();
      weighted.set_name(cluster.name);
      weighted.set_weight(cluster.weight);
    }
  }
  envoy::add_filter(chain, envoy::kTcpProxy, proxy);
}

ListenerDraft draft_listener(TcpOutbound from, const mesh::ResourceList& origins) {
  ListenerDraft draft;
  draft.name = envoy::outbound_listener_name(from.outbound.address, from.outbound.port);
  draft.origin = Origin::Outbound;
  draft.subject = std::make_shared<const Subject>(Subject{.service = from.outbound.service(),
                                                          .tags = from.outbound.tags,
                                                          .protocol = Protocol::Tcp,  // whatever the service speaks
                                                          .address = from.outbound.address,
                                                          .port = from.outbound.port});
  draft.key = PieceKey("tcp-route-listener");
  draft.key.add(from.outbound.address).add(from.outbound.port).add(from.transparent).add(from.outbound.tags);
  draft.key.add(from.split.clusters.size());
  for (const envoy::WeightedCluster& cluster : from.split.clusters) {
    draft.key.add(cluster.name).add(cluster.weight);
  }
  for (const auto& policy : origins) {
    draft.shaped(&policy);
  }
  draft.make = [from = std::move(from)](Listener& message) { make_listener(from, message); };
  return draft;
}

}  // namespace

void apply(const ProxyPolicies& policies, ProxyResources& resources) {
  const MatchedPolicies& matched = policies.of(kName);
  if (matched.to->empty()) {
    return;
  }
  envoy::Destinations destinations(policies.view(), resources);
  envoy::Splitter splitter(destinations, {Protocol::Unknown, Protocol::Tcp, Protocol::Http, Protocol::Http2});
  for (const ProxyOutbound& outbound : resources.outbounds) {
    const std::string service = outbound.service();
    const Rule* rule = matched.to->find_service(service);
    if (rule == nullptr) {
      continue;
    }
    Protocol protocol = destinations.protocol_of(outbound.tags).value_or(Protocol::Unknown);
    const ConfView refs = ConfView(&rule->conf->value, FieldPath())["default"]["backendRefs"];
    if (refs.empty() || (mesh::is_http(protocol) && meshhttproute::has_rules_for(policies, service))) {
      continue;
    }
    TcpOutbound made{.outbound = outbound, .transparent = resources.transparent, .split = splitter.split(*refs.value())};
    ProxyResources::put(resources.listeners, draft_listener(std::move(made), rule->conf->origins));
  }
}

}  // namespace kuma::policy::meshtcproute
