#include "api/inspect_rules.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "policy/envoy/names.h"
#include "policy/matched.h"
#include "policy/policy.h"
#include "xds/gen/outbounds.h"

namespace kuma::api {
namespace {

using mesh::Tags;

// One rule as clients see it, with what it is sorted by.
struct Item {
  std::string name;
  std::string_view type;
  json::object body;
};

json::object tags_object(const Tags& tags) {
  json::object out;
  for (const auto& [key, value] : tags) {
    out[key] = value;
  }
  return out;
}

json::object subset_object(const policy::Subset& subset) {
  json::object out;
  for (const policy::SubsetTag& tag : subset) {
    out[tag.key] = tag.negated ? "!" + tag.value : tag.value;
  }
  return out;
}

json::array origins_array(const mesh::ResourceList& origins) {
  json::array out;
  for (const model::ResourcePtr& policy : origins) {
    out.push_back(json::object{{"mesh", policy->meta.mesh}, {"name", policy->meta.name}});
  }
  return out;
}

// Where a rule applies; empty for the whole proxy.
struct Place {
  std::vector<std::string> addresses{};
  Tags tags{};
};

Item make_item(std::string_view type, const Place& place, const model::ResourceType& policy, const policy::Rule& rule) {
  Item item{.name = place.tags.empty() ? std::string() : policy::envoy::destination_cluster_name(place.tags),
            .type = type,
            .body = {}};
  json::object& body = item.body;
  body["type"] = type;
  if (!item.name.empty()) {
    body["name"] = item.name;
  }
  if (!place.addresses.empty()) {
    body["addresses"] = json::array(place.addresses.begin(), place.addresses.end());
  }
  if (const auto service = place.tags.find("kuma.io/service");
      service != place.tags.end() && !service->second.empty()) {
    body["service"] = service->second;
  }
  if (!place.tags.empty()) {
    body["tags"] = tags_object(place.tags);
  }
  body["policyType"] = policy.name;
  body["subset"] = subset_object(rule.subset);
  body["conf"] = rule.conf->value;
  body["origins"] = origins_array(rule.conf->origins);
  return item;
}

// The destinations of a proxy's outbounds, each once, with the names and addresses at which it reaches them.
std::vector<Place> destinations_of(const mesh::MeshView& view, const mesh::DataplaneView& dataplane) {
  std::map<Tags, std::vector<std::string>> by_tags;
  for (policy::ProxyOutbound& outbound : xds::outbounds_of(view, dataplane, nullptr)) {
    auto& addresses = by_tags[std::move(outbound.tags)];
    if (outbound.from_vip) {
      for (const std::string& name : view.vips->names.at(outbound.address)) {
        addresses.push_back(join_host_port(name, outbound.port));
      }
    }
    addresses.push_back(join_host_port(outbound.address, outbound.port));
  }
  std::vector<Place> out;
  for (auto& [tags, addresses] : by_tags) {
    out.push_back({std::move(addresses), tags});
  }
  return out;
}

policy::Subset as_subset(const Tags& tags) {
  policy::Subset subset;
  for (const auto& [key, value] : tags) {
    subset.push_back({key, value});
  }
  return subset;
}

std::map<policy::InboundKey, Tags> inbounds_of(const mesh::MeshView& view, const mesh::DataplaneView& dataplane) {
  std::map<policy::InboundKey, Tags> out;
  for (policy::SelectableInbound& inbound : policy::selectable_inbounds(view, dataplane)) {
    if (!inbound.of_gateway) {
      out.emplace(inbound.key, std::move(inbound.tags));
    }
  }
  return out;
}

}  // namespace

json::array inspect_rules(const mesh::MeshView& view, const mesh::DataplaneView& dataplane) {
  const policy::ProxyPolicies matched(view, dataplane, nullptr);
  const std::map<policy::InboundKey, Tags> inbounds = inbounds_of(view, dataplane);
  const std::vector<Place> destinations = destinations_of(view, dataplane);
  std::vector<Item> items;
  for (const policy::Policy& policy : policy::policies()) {
    const policy::MatchedPolicies& of_type = matched.of(policy.type.name);
    for (const auto& [key, rules] : of_type.from) {
      const auto inbound = inbounds.find(key);
      for (const policy::Rule& rule : inbound == inbounds.end() ? std::vector<policy::Rule>() : rules->list()) {
        items.push_back(
            make_item("ClientSubset", {{join_host_port(key.address, key.port)}, inbound->second}, policy.type, rule));
      }
    }
    for (const Place& destination : destinations) {
      if (const policy::Rule* rule = of_type.to->find(as_subset(destination.tags))) {
        items.push_back(make_item("DestinationSubset", destination, policy.type, *rule));
      }
    }
    for (const policy::Rule& rule : of_type.single->list()) {
      items.push_back(make_item("SingleItem", {}, policy.type, rule));
    }
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return std::tie(a.name, a.type) < std::tie(b.name, b.type); });
  json::array out;
  for (Item& item : items) {
    out.push_back(std::move(item.body));
  }
  return out;
}

}  // namespace kuma::api
