#include "mesh/endpoints.h"

#include <algorithm>
#include <set>

#include "absl/strings/numbers.h"
#include "base/text.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/externalservice.pb.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "mesh/v1alpha1/zoneegress.pb.h"

namespace kuma::mesh {
namespace {

using v1alpha1::Dataplane;
using v1alpha1::ExternalService;
using v1alpha1::ZoneEgress;
using v1alpha1::ZoneIngress;
using Inbound = Dataplane::Networking::Inbound;

// Added to the tags of an external endpoint with TLS, so that its transport socket can be matched to it alone.
constexpr std::string_view kExternalServiceNameTag = "kuma.io/external-service-name";

std::optional<std::string> zone_of(const Tags& tags) {
  auto found = tags.find(kZoneTag);
  return found == tags.end() ? std::nullopt : std::optional(found->second);
}

EndpointPtr make_endpoint(std::string address, uint32_t port, uint32_t weight, Tags tags) {
  auto endpoint = std::make_shared<Endpoint>();
  endpoint->address = std::move(address);
  endpoint->port = port;
  endpoint->weight = weight;
  endpoint->zone = zone_of(tags);
  endpoint->tags = std::move(tags);
  return endpoint;
}

bool takes_traffic(const Inbound& inbound) {
  return inbound.state() == Inbound::Ready && (!inbound.has_health() || inbound.health().ready());
}

// Copies the resource with `change` made to its spec.
template <typename Spec, typename Change>
model::ResourcePtr changed(const model::ResourcePtr& resource, Change change) {
  auto copy = std::make_shared<model::Resource>(*resource);
  auto spec = std::make_shared<Spec>(resource->as<Spec>());
  change(*spec);
  copy->message = std::move(spec);
  return copy;
}

// An ingress' service: the ingress itself, or every egress of ours.
void add_remote(const ZoneInputs& inputs, const ZoneIngress::Networking& networking, const ZoneIngress::AvailableService& service,
                ZoneEndpoints::ByService& by_service) {
  Tags tags = to_tags(service.tags());
  auto& endpoints = by_service[std::string(tag(tags, kServiceTag))];
  if (!inputs.zone_egress) {
    auto endpoint = std::make_shared<Endpoint>(
        *make_endpoint(networking.advertisedaddress(), networking.advertisedport(), service.instances(), std::move(tags)));
    endpoint->remote = true;
    endpoints.push_back(std::move(endpoint));
    return;
  }
  for (const auto& egress : inputs.egresses) {
    const auto& through = egress->as<ZoneEgress>().networking();
    auto endpoint = std::make_shared<Endpoint>(*make_endpoint(through.address(), through.port(), 1, tags));
    endpoint->remote = true;
    endpoint->through_egress = true;
    endpoint->external = service.externalservice();
    endpoints.push_back(std::move(endpoint));
  }
}

std::optional<std::pair<std::string, uint32_t>> split_address(const std::string& address) {
  size_t colon = address.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port)) {
    return std::nullopt;
  }
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return std::pair(host, port);
}

void add_external(const ZoneInputs& inputs, ZoneEndpoints& result) {
  for (const auto& resource : inputs.external_services) {
    const auto& external = resource->as<ExternalService>();
    Tags tags = to_tags(external.tags());
    std::string service(tag(tags, kServiceTag));
    if (inputs.zone_egress) {
      for (const auto& egress : inputs.egresses) {
        const auto& through = egress->as<ZoneEgress>().networking();
        auto endpoint = std::make_shared<Endpoint>(*make_endpoint(through.address(), through.port(), 1, tags));
        endpoint->through_egress = true;
        endpoint->external = true;
        endpoint->external_service = resource;
        result.through_egress[service].push_back(std::move(endpoint));
      }
      continue;
    }
    auto place = split_address(external.networking().address());
    if (!place) {
      continue;  // validation refuses it; synced from an older peer it just has no endpoint
    }
    if (external.networking().tls().enabled()) {
      tags.emplace(kExternalServiceNameTag, resource->meta.name);
    }
    auto endpoint = std::make_shared<Endpoint>(*make_endpoint(place->first, place->second, 1, std::move(tags)));
    endpoint->external = true;
    endpoint->external_service = resource;
    result.direct[service].push_back(std::move(endpoint));
  }
}

}  // namespace

DataplaneState build_dataplane(const model::ResourcePtr& resource, const Resolve& resolve, uint32_t weight) {
  DataplaneState state;
  state.resource = resource;
  const auto& networking = resource->as<Dataplane>().networking();

  auto view = std::make_shared<DataplaneView>();
  std::set<std::string> services;
  auto add_tags = [&](Tags tags) {
    services.emplace(tag(tags, kServiceTag));
    view->tag_sets.push_back(std::move(tags));
  };
  for (const auto& inbound : networking.inbound()) {
    if (inbound.state() != Inbound::Ignored) {
      add_tags(to_tags(inbound.tags()));
    }
  }
  if (networking.has_gateway()) {
    add_tags(to_tags(networking.gateway().tags()));
  }
  state.services.assign(services.begin(), services.end());

  auto address = resolve(networking.address());
  auto advertised = networking.advertisedaddress().empty() ? address : resolve(networking.advertisedaddress());
  if (!address || !advertised) {
    return state;
  }
  view->address = *address;
  view->advertised_address = *advertised;
  view->resource = resource;
  if (*address != networking.address() ||
      (!networking.advertisedaddress().empty() && *advertised != networking.advertisedaddress())) {
    view->resource = changed<Dataplane>(resource, [&](Dataplane& dataplane) {
      dataplane.mutable_networking()->set_address(*address);
      if (!networking.advertisedaddress().empty()) {
        dataplane.mutable_networking()->set_advertisedaddress(*advertised);
      }
    });
  }
  for (const auto& inbound : networking.inbound()) {
    if (takes_traffic(inbound)) {
      const std::string& own = inbound.address().empty() ? view->address : inbound.address();
      Tags tags = to_tags(inbound.tags());
      std::string service(tag(tags, kServiceTag));
      state.ready.emplace_back(std::move(service),
                               make_endpoint(networking.advertisedaddress().empty() ? own : view->advertised_address,
                                             inbound.port(), weight, std::move(tags)));
    }
  }
  state.view = std::move(view);
  return state;
}

RemoteEndpoints build_remote_endpoints(const ZoneInputs& inputs, RemoteOffer offer) {
  RemoteEndpoints result;
  if (!inputs.mtls) {
    return result;  // ingresses route by SNI
  }
  std::set<std::string> coordinates;
  for (const auto& resource : inputs.ingresses) {
    const auto& ingress = resource->as<ZoneIngress>();
    const auto& networking = ingress.networking();
    if (ingress.zone().empty() || ingress.zone() == inputs.local_zone || networking.advertisedaddress().empty() ||
        networking.advertisedport() == 0) {
      continue;
    }
    std::string place = join_host_port(networking.advertisedaddress(), networking.advertisedport());
    if (coordinates.contains(place)) {
      continue;  // several instances behind one load balancer
    }
    for (const auto& service : ingress.availableservices()) {
      const bool is_of_gateway = service.tags().contains(std::string(kMeshTag));
      if (service.mesh() == inputs.mesh && (offer == RemoteOffer::All || is_of_gateway)) {
        coordinates.insert(place);
        add_remote(inputs, networking, service, result.by_service);
      }
    }
  }
  result.local_weight = std::max<uint32_t>(1, static_cast<uint32_t>(coordinates.size()));
  return result;
}

ZoneEndpoints build_zone_endpoints(const ZoneInputs& inputs) {
  ZoneEndpoints result;
  RemoteEndpoints remote = build_remote_endpoints(inputs, RemoteOffer::All);
  result.remote = std::move(remote.by_service);
  result.local_weight = remote.local_weight;
  add_external(inputs, result);
  return result;
}

model::ResourcePtr resolve_zone_ingress(const model::ResourcePtr& resource, const Resolve& resolve) {
  const auto& networking = resource->as<ZoneIngress>().networking();
  if (networking.advertisedaddress().empty()) {
    return resource;
  }
  auto advertised = resolve(networking.advertisedaddress());
  if (!advertised) {
    return nullptr;
  }
  if (*advertised == networking.advertisedaddress()) {
    return resource;
  }
  return changed<ZoneIngress>(
      resource, [&](ZoneIngress& ingress) { ingress.mutable_networking()->set_advertisedaddress(*advertised); });
}

model::ResourcePtr resolve_zone_egress(const model::ResourcePtr& resource, const Resolve& resolve) {
  const auto& networking = resource->as<ZoneEgress>().networking();
  auto address = resolve(networking.address());
  if (!address) {
    return nullptr;
  }
  if (*address == networking.address()) {
    return resource;
  }
  return changed<ZoneEgress>(resource, [&](ZoneEgress& egress) { egress.mutable_networking()->set_address(*address); });
}

std::vector<std::string> hosts_of(const model::Resource& resource) {
  std::vector<std::string> found;
  auto add = [&](const std::string& address) {
    if (!address.empty() && !is_ip_address(address)) {
      found.push_back(address);
    }
  };
  if (resource.type->name == "Dataplane") {
    const auto& networking = resource.as<Dataplane>().networking();
    add(networking.address());
    add(networking.advertisedaddress());
  } else if (resource.type->name == "ZoneIngress") {
    add(resource.as<ZoneIngress>().networking().advertisedaddress());
  } else if (resource.type->name == "ZoneEgress") {
    add(resource.as<ZoneEgress>().networking().address());
  }
  return found;
}

}  // namespace kuma::mesh
