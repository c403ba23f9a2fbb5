#include "mesh/reach.h"

#include <algorithm>
#include <array>

#include "mesh/v1alpha1/externalservice.pb.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"

namespace kuma::mesh {
namespace {

constexpr std::array<std::string_view, 3> kReachTags = {"k8s.kuma.io/namespace", "k8s.kuma.io/service-name",
                                                        "k8s.kuma.io/service-port"};

void add(const Tags& tags, std::map<std::string, Tags>& services) {
  auto service = tags.find(kServiceTag);
  if (service == tags.end()) {
    return;
  }
  auto [entry, is_new] = services.try_emplace(service->second);
  if (!is_new) {
    return;
  }
  for (std::string_view key : kReachTags) {
    if (auto found = tags.find(key); found != tags.end()) {
      entry->second.insert(*found);
    }
  }
}

}  // namespace

bool is_reach_tag(std::string_view key) { return std::ranges::find(kReachTags, key) != kReachTags.end(); }

ReachTagsPtr build_reach_tags(const SharedMap<model::ResourceKey, DataplanePtr>& dataplanes, std::string_view mesh,
                              const std::map<std::string, model::ResourcePtr>& zone_ingresses,
                              const ResourceList& external_services) {
  auto services = std::make_shared<std::map<std::string, Tags>>();
  for (const auto& [key, dataplane] : dataplanes) {
    for (const Tags& tags : dataplane->tag_sets) {
      add(tags, *services);
    }
  }
  for (const auto& [name, ingress] : zone_ingresses) {
    for (const auto& service : ingress->as<v1alpha1::ZoneIngress>().availableservices()) {
      if (service.mesh() == mesh) {
        add(to_tags(service.tags()), *services);
      }
    }
  }
  for (const auto& service : external_services) {
    add(to_tags(service->as<v1alpha1::ExternalService>().tags()), *services);
  }
  return services;
}

}  // namespace kuma::mesh
