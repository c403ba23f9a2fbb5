#include <algorithm>

#include "mesh/gateways.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "policy/envoy/load_assignment.h"
#include "xds/gen/zone_proxy.h"

namespace kuma::xds {
namespace {

using mesh::v1alpha1::ZoneIngress;

// What the ingress offers of one mesh: the tag sets of each service, in the order in which the services are listed.
struct Offer {
  std::vector<std::string> services;
  std::map<std::string, std::vector<mesh::Tags>> tag_sets;
  std::vector<mesh::Tags> all;
};

std::map<std::string, Offer> offers_of(const ZoneIngress& ingress) {
  std::map<std::string, Offer> offers;
  for (const auto& available : ingress.availableservices()) {
    Offer& offer = offers[available.mesh()];
    mesh::Tags tags = mesh::to_tags(available.tags());
    std::string service(mesh::tag(tags, mesh::kServiceTag));
    offer.all.push_back(tags);
    auto& sets = offer.tag_sets[service];
    if (sets.empty()) {
      offer.services.push_back(service);
    }
    sets.push_back(std::move(tags));
  }
  return offers;
}

// Offered are the tags that the filters of the list let through, so an instance may have more.
bool is_offered(const mesh::Tags& tags, const std::vector<mesh::Tags>& offered) {
  return std::ranges::any_of(offered, [&](const mesh::Tags& set) {
    return std::ranges::all_of(set, [&](const auto& entry) {
      return entry.first == mesh::kMeshTag || mesh::tag(tags, entry.first) == std::string_view(entry.second);
    });
  });
}

// As others see it from here: all instances are alike, whatever zone they say.
mesh::EndpointPtr plain(const mesh::Endpoint& from) {
  auto endpoint = std::make_shared<mesh::Endpoint>(from);
  endpoint->weight = 1;
  endpoint->zone = std::nullopt;
  return endpoint;
}

// This zone's instances, and its egresses for external services.
std::vector<mesh::EndpointPtr> endpoints_of(const mesh::MeshView& view, const std::string& name,
                                            const std::vector<mesh::Tags>& offered,
                                            const std::vector<mesh::CrossMeshListener>& gateways) {
  std::vector<mesh::EndpointPtr> endpoints;
  if (const mesh::Service* service = view.find_service(name)) {
    for (const mesh::EndpointPtr& endpoint : service->endpoints) {
      if (!endpoint->remote && is_offered(endpoint->tags, offered)) {
        endpoints.push_back(plain(*endpoint));
      }
    }
  }
  for (const mesh::CrossMeshListener& listener : gateways) {
    if (mesh::tag(listener.tags, mesh::kServiceTag) == name && is_offered(listener.tags, offered)) {
      auto endpoint = std::make_shared<mesh::Endpoint>();
      endpoint->address = listener.address;
      endpoint->port = listener.port;
      endpoint->tags = listener.tags;
      endpoints.push_back(std::move(endpoint));
    }
  }
  return endpoints;
}

}  // namespace

absl::Status generate_ingress(ZoneProxyContext& context) {
  const auto& ingress = context.resource.as<ZoneIngress>();
  const auto& networking = ingress.networking();
  if (networking.advertisedaddress().empty() || networking.advertisedport() == 0) {
    context.resources.problems.push_back(
        {policy::ref_of(context.resource),
         "other zones can't reach it: networking.advertisedAddress and networking.advertisedPort are not set"});
  }
  std::vector<SniChain> chains;
  for (const auto& [name, offer] : offers_of(ingress)) {
    const mesh::MeshView* view = context.zone.find_mesh(name);
    if (view == nullptr) {
      continue;
    }
    const SniDestinations destinations(*view, offer.all);
    const std::vector<mesh::CrossMeshListener> gateways = mesh::cross_mesh_listeners(*view);
    SniNames names(*view, destinations);
    context.inputs[name].gateways = !gateways.empty();
    for (const std::string& service : offer.services) {
      put_passing_service(context, policy::Origin::Ingress, *view,
                          {service, endpoints_of(*view, service, offer.tag_sets.at(service), gateways)}, {}, names, chains);
    }
  }
  put_zone_listener(context, policy::Origin::Ingress, networking.address(), networking.port(), std::move(chains), {});
  return absl::OkStatus();
}

}  // namespace kuma::xds
