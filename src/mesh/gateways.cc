#include "mesh/gateways.h"

#include <algorithm>

#include "fmt/format.h"
#include "mesh/selection.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/gateway.pb.h"
#include "model/gateways.h"

namespace kuma::mesh {

using v1alpha1::Dataplane;
using v1alpha1::MeshGateway;

bool has_cross_mesh_listener(const ResourceList& gateways) {
  return std::ranges::any_of(gateways, [](const model::ResourcePtr& gateway) {
    return std::ranges::any_of(gateway->as<MeshGateway>().conf().listeners(), [](const auto& one) { return one.crossmesh(); });
  });
}

void add_cross_mesh_listeners(const DataplaneView& dataplane, const ResourceList& gateways,
                              std::vector<CrossMeshListener>& listeners) {
  const auto& spec = dataplane.resource->as<Dataplane>();
  if (!model::is_builtin_gateway(spec)) {
    return;
  }
  const model::ResourcePtr* resource = select_best(gateways, SelectorList::Selectors, dataplane.tag_sets);
  if (resource == nullptr) {
    return;
  }
  const auto& gateway = (*resource)->as<MeshGateway>();
  const auto& own = spec.networking().gateway().tags();
  for (const auto& listener : gateway.conf().listeners()) {
    if (listener.crossmesh()) {
      Tags tags = to_tags(listener.tags());  // insert keeps what is there
      tags.insert(gateway.tags().begin(), gateway.tags().end());
      tags.insert(own.begin(), own.end());
      listeners.push_back({std::move(tags), dataplane.address, listener.port()});
    }
  }
}

std::vector<CrossMeshListener> cross_mesh_listeners(const MeshView& view) {
  std::vector<CrossMeshListener> listeners;
  const ResourceList& gateways = view.policies_of("MeshGateway");
  if (has_cross_mesh_listener(gateways)) {
    for (const auto& [key, dataplane] : view.dataplanes) {
      add_cross_mesh_listeners(*dataplane, gateways, listeners);
    }
  }
  return listeners;
}

std::string secret_of_file(std::string_view path) { return fmt::format("file:{}", path); }

std::set<std::string> certificate_files(const ResourceList& gateways) {
  std::set<std::string> files;
  for (const model::ResourcePtr& gateway : gateways) {
    for (const auto& listener : gateway->as<v1alpha1::MeshGateway>().conf().listeners()) {
      for (const auto& certificate : listener.tls().certificates()) {
        if (certificate.has_file()) {
          files.insert(certificate.file());
        }
      }
    }
  }
  return files;
}

GatewayServices build_gateway_services(const std::vector<CrossMeshListener>& listeners, const ZoneInputs& inputs) {
  RemoteEndpoints remote = build_remote_endpoints(inputs, RemoteOffer::Gateways);
  std::map<std::string, std::vector<EndpointPtr>, std::less<>> by_service = std::move(remote.by_service);
  for (const CrossMeshListener& listener : listeners) {
    auto endpoint = std::make_shared<Endpoint>();
    endpoint->address = listener.address;
    endpoint->port = listener.port;
    endpoint->weight = remote.local_weight;
    endpoint->tags = listener.tags;
    if (auto zone = listener.tags.find(kZoneTag); zone != listener.tags.end()) {
      endpoint->zone = zone->second;
    }
    by_service[std::string(tag(listener.tags, kServiceTag))].push_back(std::move(endpoint));
  }
  GatewayServices services;
  for (auto& [name, endpoints] : by_service) {
    auto service = std::make_shared<Service>();
    service->name = name;
    service->endpoints = std::move(endpoints);
    services.emplace(name, std::move(service));
  }
  return services;
}

}  // namespace kuma::mesh
