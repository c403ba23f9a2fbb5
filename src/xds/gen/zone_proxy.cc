#include "xds/gen/zone_proxy.h"

#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/load_assignment.h"
#include "policy/envoy/names.h"
#include "xds/gen/proxy_context.h"

namespace kuma::xds {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::core::v3::ApiVersion;
using ::envoy::config::endpoint::v3::ClusterLoadAssignment;
using ::envoy::config::listener::v3::FilterChain;
using ::envoy::config::listener::v3::Listener;
using ::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
namespace make = policy::envoy;

// How many addresses there are, and how many of them have a tag.
bool narrows(const std::vector<mesh::EndpointPtr>& endpoints, const std::string& key, const std::string& value) {
  std::set<std::pair<std::string_view, uint32_t>> all, having;
  for (const mesh::EndpointPtr& endpoint : endpoints) {
    all.emplace(endpoint->address, endpoint->port);
    if (value == "*" || mesh::tag(endpoint->tags, key) == std::string_view(value)) {
      having.emplace(endpoint->address, endpoint->port);
    }
  }
  return having.size() < all.size();
}

void make_eds_cluster(const std::string& name, const std::set<std::set<std::string>>& subset_keys, Cluster& cluster) {
  make::set_cluster_name(cluster, name);
  cluster.set_type(Cluster::EDS);
  auto& eds = *cluster.mutable_eds_cluster_config()->mutable_eds_config();
  eds.mutable_ads();
  eds.set_resource_api_version(ApiVersion::V3);
  *cluster.mutable_connect_timeout() = make::to_duration(make::kConnectTimeoutDefault);
  if (subset_keys.empty()) {
    return;
  }
  auto& subsets = *cluster.mutable_lb_subset_config();
  subsets.set_fallback_policy(Cluster::LbSubsetConfig::ANY_ENDPOINT);
  for (const std::set<std::string>& keys : subset_keys) {
    auto& selector = *subsets.add_subset_selectors();
    selector.mutable_keys()->Add(keys.begin(), keys.end());
    selector.set_fallback_policy(Cluster::LbSubsetConfig::LbSubsetSelector::NO_FALLBACK);
  }
}

void add_endpoint_key(const mesh::Endpoint& endpoint, policy::PieceKey& key) {
  key.add(endpoint.address).add(endpoint.port).add(endpoint.weight).add(endpoint.tags).add(endpoint.zone.value_or(""));
}

void put_endpoints(ZoneProxyContext& context, policy::Origin origin, const std::string& cluster,
                   const std::shared_ptr<const policy::Subject>& subject, const std::vector<mesh::EndpointPtr>& endpoints,
                   const make::LocalityRules& locality) {
  // By what they say: the objects are made anew each time. Their hash stands for them, as keys are kept.
  policy::PieceKey content("endpoints");
  for (const mesh::EndpointPtr& endpoint : endpoints) {
    add_endpoint_key(*endpoint, content);
  }
  policy::PieceKey key("zone-endpoints");
  key.add(cluster).add(locality.prefer_local).add(locality.local_zone).add(sha256(content.text()));
  auto draft = own_draft<policy::EndpointsDraft>(cluster, origin, std::move(key),
                                                 [cluster, endpoints, locality](ClusterLoadAssignment& assignment) {
                                                   assignment.set_cluster_name(cluster);
                                                   std::vector<const mesh::Endpoint*> list;
                                                   for (const mesh::EndpointPtr& endpoint : endpoints) {
                                                     list.push_back(endpoint.get());
                                                   }
                                                   make::add_endpoints(std::move(list), locality, assignment);
                                                 });
  draft.subject = subject;
  policy::ProxyResources::put(context.resources.endpoints, std::move(draft));
}

void set_subset(const mesh::Tags& tags, ::envoy::config::core::v3::Metadata& metadata) {
  auto& fields = *(*metadata.mutable_filter_metadata())["envoy.lb"].mutable_fields();
  for (const auto& [key, value] : tags) {
    fields[key].set_string_value(value);
  }
}

void make_chain(const SniChain& from, FilterChain& chain) {
  chain.set_name(from.name);
  chain.mutable_filter_chain_match()->set_transport_protocol("tls");
  chain.mutable_filter_chain_match()->add_server_names(from.sni);
  if (from.terminate) {
    from.terminate(chain);
    return;
  }
  TcpProxy proxy;
  proxy.set_stat_prefix(from.stat_prefix);
  proxy.set_cluster(from.cluster);
  if (!from.subset.empty()) {
    set_subset(from.subset, *proxy.mutable_metadata_match());
  }
  make::add_filter(chain, make::kTcpProxy, proxy);
}

}  // namespace

std::string zone_cluster_name(std::string_view mesh, std::string_view service) { return fmt::format("{}:{}", mesh, service); }

std::vector<SniNames::Name> SniNames::take(const ZoneService& service) {
  std::vector<Name> names;
  for (const auto* list : {&destinations_.of(service.name), &destinations_.of_any()}) {
    for (const mesh::Tags& destination : *list) {
      Name name{.sni = {}, .tags = destination, .relevant = {}};
      name.tags[std::string(mesh::kServiceTag)] = service.name;
      name.sni = make::sni_of(name.tags, view_.name);
      if (!used_.insert(name.sni).second) {
        continue;
      }
      for (const auto& [key, value] : destination) {
        if (key != mesh::kServiceTag && narrows(service.endpoints, key, value)) {
          name.relevant.emplace(key, value);
        }
      }
      names.push_back(std::move(name));
    }
  }
  return names;
}

std::set<std::set<std::string>> SniNames::subset_keys(const std::vector<Name>& names) const {
  std::set<std::set<std::string>> all;
  auto add = [&](const mesh::Tags& tags) {
    std::set<std::string> keys;
    for (const auto& [key, value] : tags) {
      if (key != mesh::kServiceTag) {
        keys.insert(key);
      }
    }
    if (!keys.empty()) {
      all.insert(std::move(keys));
    }
  };
  for (const Name& name : names) {
    add(name.relevant);
  }
  for (const mesh::Tags& tags : destinations_.of_any()) {
    add(tags);
  }
  return all;
}

void put_passing_service(ZoneProxyContext& context, policy::Origin origin, const mesh::MeshView& view, const ZoneService& service,
                         const make::LocalityRules& locality, SniNames& names, std::vector<SniChain>& chains) {
  context.inputs[view.name].services.insert(service.name);
  std::vector<SniNames::Name> taken = names.take(service);
  if (taken.empty()) {
    return;  // nobody can ask for it, or it is there already
  }
  std::string cluster = zone_cluster_name(view.name, service.name);
  auto subject = std::make_shared<policy::Subject>();
  subject->service = service.name;
  subject->tags = {{std::string(mesh::kServiceTag), service.name}, {std::string(mesh::kMeshTag), view.name}};
  std::set<std::set<std::string>> subset_keys = names.subset_keys(taken);
  policy::PieceKey key("zone-cluster");
  key.add(cluster).add(subset_keys.size());
  for (const std::set<std::string>& keys : subset_keys) {
    key.add(fmt::format("{}", fmt::join(keys, ",")));
  }
  auto draft = own_draft<policy::ClusterDraft>(
      cluster, origin, std::move(key),
      [cluster, subset_keys = std::move(subset_keys)](Cluster& message) { make_eds_cluster(cluster, subset_keys, message); });
  draft.subject = subject;
  policy::ProxyResources::put(context.resources.clusters, std::move(draft));
  put_endpoints(context, origin, cluster, subject, service.endpoints, locality);
  for (SniNames::Name& name : taken) {
    chains.push_back({.sni = std::move(name.sni),
                      .name = {},
                      .stat_prefix = make::sanitize_stat(fmt::format("{}_{}", view.name, service.name)),
                      .cluster = cluster,
                      .subset = std::move(name.relevant),
                      .key = {},
                      .terminate = nullptr});
  }
}

policy::ListenerDraft* put_zone_listener(ZoneProxyContext& context, policy::Origin origin, const std::string& address,
                                         uint32_t port, std::vector<SniChain> chains,
                                         const std::vector<const model::Resource*>& shaped_by) {
  if (chains.empty()) {
    return nullptr;
  }
  policy::PieceKey content("chains");
  for (const SniChain& chain : chains) {
    content.add(chain.sni).add(chain.name).add(chain.stat_prefix).add(chain.cluster).add(chain.subset).add(chain.key);
  }
  policy::PieceKey key("zone-listener");
  key.add(address).add(port).add(sha256(content.text()));
  auto shared = std::make_shared<const std::vector<SniChain>>(std::move(chains));
  std::string name = make::inbound_listener_name(address, port);
  auto draft = own_draft<policy::ListenerDraft>(name, origin, std::move(key), [shared, name, address, port](Listener& listener) {
    set_inbound_listener(listener, name, address, port);
    make::add_tls_inspector(listener);
    for (const SniChain& chain : *shared) {
      make_chain(chain, *listener.add_filter_chains());
    }
  });
  auto subject = std::make_shared<policy::Subject>();
  subject->address = address;
  subject->port = port;
  draft.subject = std::move(subject);
  draft.shaped_by = shaped_by;
  return &policy::ProxyResources::put(context.resources.listeners, std::move(draft));
}

}  // namespace kuma::xds
