#include "api/inspect_gateways.h"

#include <algorithm>
#include <map>

#include "api/inspect_view.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "model/gateways.h"
#include "policy/legacy.h"
#include "xds/gen/gateway_inspection.h"

namespace kuma::api {
namespace {

using xds::GatewayDestination;
using xds::GatewayEntry;
using xds::GatewayHost;
using xds::GatewayInspection;
using xds::GatewayListener;
using Policies = std::map<std::string_view, model::ResourcePtr>;

constexpr std::string_view kKind = "MeshGatewayDataplane";

json::object key_object(const model::Resource* resource) {
  return {{"mesh", resource == nullptr ? "" : resource->meta.mesh}, {"name", resource == nullptr ? "" : resource->meta.name}};
}

json::object tags_object(const mesh::Tags& tags) {
  json::object out;
  for (const auto& [key, value] : tags) {
    out[key] = value;
  }
  return out;
}

json::object metas_of(const Policies& policies) {
  json::object out;
  for (const auto& [type, policy] : policies) {
    out[type] = policy_meta(*policy);
  }
  return out;
}

bool has_policy(const Policies& policies, std::string_view type, std::string_view name) {
  const auto found = policies.find(type);
  return found != policies.end() && found->second->meta.name == name;
}

// Of each match the destination that is shown, and those that it mirrors to.
std::vector<const GatewayDestination*> shown_destinations(const GatewayEntry& entry) {
  std::vector<const GatewayDestination*> shown;
  for (const GatewayDestination& mirror : entry.mirrors) {
    shown.push_back(&mirror);
  }
  if (!entry.destinations.empty()) {
    shown.push_back(&entry.destinations.back());
  }
  return shown;
}

json::object host_policies(const GatewayHost& host) {
  std::map<std::string_view, std::vector<const GatewayDestination*>> by_route;
  for (const GatewayEntry& entry : host.entries) {
    for (const GatewayDestination* destination : shown_destinations(entry)) {
      by_route[entry.route].push_back(destination);
    }
  }
  json::array routes;
  for (auto& [name, destinations] : by_route) {
    std::ranges::stable_sort(destinations, {}, &GatewayDestination::tags);
    json::array list;
    for (const GatewayDestination* destination : destinations) {
      list.push_back(json::object{{"tags", tags_object(destination->tags)}, {"policies", metas_of(destination->policies)}});
    }
    routes.push_back(json::object{{"route", name}, {"destinations", std::move(list)}});
  }
  return {{"hostName", host.name}, {"routes", std::move(routes)}};
}

// Where one policy applies below a host, a listener; empty arrays: nowhere.
json::array routes_with(const GatewayHost& host, std::string_view type, std::string_view policy) {
  json::array routes;
  for (const GatewayEntry& entry : host.entries) {
    json::array destinations;
    for (const auto* list : {&entry.destinations, &entry.mirrors}) {
      for (const GatewayDestination& destination : *list) {
        if (has_policy(destination.policies, type, policy)) {
          destinations.push_back(tags_object(destination.tags));
        }
      }
    }
    if (!destinations.empty()) {
      routes.push_back(json::object{{"route", entry.route}, {"destinations", std::move(destinations)}});
    }
  }
  return routes;
}

json::array hosts_with(const GatewayListener& listener, std::string_view type, std::string_view policy) {
  json::array hosts;
  for (const GatewayHost& host : listener.hosts) {
    if (json::array routes = routes_with(host, type, policy); !routes.empty()) {
      hosts.push_back(json::object{{"hostName", host.name}, {"routes", std::move(routes)}});
    }
  }
  return hosts;
}

bool is_builtin_gateway(const mesh::DataplaneView& dataplane) {
  return model::is_builtin_gateway(dataplane.resource->as<::kuma::mesh::v1alpha1::Dataplane>());
}

template <typename Wanted>
json::array gateways_with(const mesh::MeshView& view, Wanted wanted) {
  json::array items;
  for (const auto& [key, dataplane] : view.dataplanes) {
    if (wanted(*dataplane)) {
      items.push_back(json::object{{"dataplane", key_object(dataplane->resource.get())}});
    }
  }
  return items;
}

}  // namespace

json::object gateway_policies(const mesh::MeshView& view, const mesh::DataplaneView& dataplane) {
  const GatewayInspection found = xds::inspect_gateway(view, dataplane);
  json::array listeners;
  for (const GatewayListener& listener : found.listeners) {
    std::vector<const GatewayHost*> hosts;
    for (const GatewayHost& host : listener.hosts) {
      hosts.push_back(&host);
    }
    std::ranges::stable_sort(hosts, {}, &GatewayHost::name);
    json::array list;
    for (const GatewayHost* host : hosts) {
      list.push_back(host_policies(*host));
    }
    listeners.push_back(json::object{{"port", listener.port}, {"protocol", listener.protocol}, {"hosts", std::move(list)}});
  }
  json::object body{{"kind", kKind}, {"gateway", key_object(found.gateway.get())}, {"listeners", std::move(listeners)}};
  if (!found.policies.empty()) {
    body["policies"] = metas_of(found.policies);
  }
  return body;
}

std::optional<json::object> gateway_attachment(const mesh::MeshView& view, const mesh::DataplaneView& dataplane,
                                               std::string_view policy_type, std::string_view policy) {
  const GatewayInspection found = xds::inspect_gateway(view, dataplane);
  json::object item{{"kind", kKind},
                    {"dataplane", key_object(dataplane.resource.get())},
                    {"gateway", key_object(found.gateway.get())}};
  if (has_policy(found.policies, policy_type, policy)) {
    return item;
  }
  json::array listeners;
  for (const GatewayListener& listener : found.listeners) {
    if (json::array hosts = hosts_with(listener, policy_type, policy); !hosts.empty()) {
      listeners.push_back(json::object{{"port", listener.port}, {"protocol", listener.protocol}, {"hosts", std::move(hosts)}});
    }
  }
  if (listeners.empty()) {
    return std::nullopt;
  }
  item["listeners"] = std::move(listeners);
  return item;
}

bool has_gateway_route(const mesh::MeshView& view, const mesh::DataplaneView& dataplane, std::string_view route) {
  if (!is_builtin_gateway(dataplane)) {
    return false;
  }
  const GatewayInspection found = xds::inspect_gateway(view, dataplane);
  return std::ranges::any_of(found.listeners, [&](const GatewayListener& listener) {
    return std::ranges::any_of(listener.hosts, [&](const GatewayHost& host) {
      return std::ranges::any_of(host.entries, [&](const GatewayEntry& entry) { return entry.route == route; });
    });
  });
}

json::array dataplanes_of_gateway(const mesh::MeshView& view, std::string_view gateway) {
  return gateways_with(view, [&](const mesh::DataplaneView& dataplane) {
    const model::ResourcePtr* found = policy::select_for_dataplane(view.policies_of("MeshGateway"), dataplane);
    return is_builtin_gateway(dataplane) && found != nullptr && (*found)->meta.name == gateway;
  });
}

json::array dataplanes_of_gateway_route(const mesh::MeshView& view, std::string_view route) {
  return gateways_with(view, [&](const mesh::DataplaneView& dataplane) { return has_gateway_route(view, dataplane, route); });
}

}  // namespace kuma::api
