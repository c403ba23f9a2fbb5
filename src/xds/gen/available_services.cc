#include "xds/gen/available_services.h"

#include <algorithm>

#include "fmt/format.h"
#include "google/protobuf/util/message_differencer.h"
#include "mesh/gateways.h"
#include "mesh/v1alpha1/externalservice.pb.h"

namespace kuma::xds {
namespace {

using mesh::v1alpha1::ExternalService;
using List = AvailableServices::List;

std::string text_of(const mesh::Tags& tags) {
  std::string text;
  for (const auto& [key, value] : tags) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
  }
  return text;
}

void count(const mesh::Tags& tags, uint32_t instances, std::map<std::string, std::pair<mesh::Tags, uint32_t>>& counts) {
  auto [entry, is_new] = counts.try_emplace(text_of(tags), tags, 0);
  entry->second.second += instances;
}

void append(const std::string& mesh, const std::map<std::string, std::pair<mesh::Tags, uint32_t>>& counts, bool external,
            List& list) {
  for (const auto& [text, entry] : counts) {
    auto& service = *list.Add();
    service.set_mesh(mesh);
    service.set_instances(entry.second);
    service.set_externalservice(external);
    service.mutable_tags()->insert(entry.first.begin(), entry.first.end());
  }
}

bool is_local_instance(const mesh::Endpoint& endpoint) { return !endpoint.remote && !endpoint.external; }

}  // namespace

mesh::Tags AvailableServices::filtered(const mesh::Tags& tags) const {
  if (tag_filters_.empty()) {
    return tags;
  }
  mesh::Tags kept;
  for (const auto& [key, value] : tags) {
    if (std::ranges::any_of(tag_filters_, [&key = key](const std::string& prefix) { return key.starts_with(prefix); })) {
      kept.emplace(key, value);
    }
  }
  return kept;
}

const AvailableServices::Counts& AvailableServices::counts_of(const std::string& mesh, const mesh::ServicePtr& service) {
  Counted& counted = counted_[{mesh, service->name}];
  counted.round = round_;
  if (counted.service != service) {
    counted.service = service;
    counted.counts.clear();
    for (const mesh::EndpointPtr& endpoint : service->endpoints) {
      if (is_local_instance(*endpoint)) {
        count(filtered(endpoint->tags), 1, counted.counts);
      }
    }
  }
  return counted.counts;
}

// Those that other zones can reach by way of this one: they say that they belong here, and the mesh uses egresses.
void AvailableServices::add_external(const mesh::MeshView& view, List& list) const {
  if (!view.zone_egress_enabled()) {
    return;
  }
  Counts counts;
  for (const model::ResourcePtr& resource : view.policies_of("ExternalService")) {
    mesh::Tags tags = mesh::to_tags(resource->as<ExternalService>().tags());
    if (auto zone = tags.find(mesh::kZoneTag); zone != tags.end() && zone->second == view.zone) {
      count(tags, 1, counts);
    }
  }
  append(view.name, counts, true, list);
}

List AvailableServices::compute(const mesh::ZoneView& zone) {
  ++round_;
  List list;
  for (const mesh::MeshViewPtr& view : zone.meshes) {
    Counts of_mesh;  // services are told apart by a tag, whose place in the text is not the first
    for (const auto& [name, service] : view->services) {
      for (const auto& [text, entry] : counts_of(view->name, service)) {
        count(entry.first, entry.second, of_mesh);
      }
    }
    append(view->name, of_mesh, false, list);
  }
  std::erase_if(counted_, [this](const auto& entry) { return entry.second.round != round_; });
  for (const mesh::MeshViewPtr& view : zone.meshes) {
    add_external(*view, list);
  }
  for (const mesh::MeshViewPtr& view : zone.meshes) {
    Counts counts;
    for (mesh::CrossMeshListener& listener : mesh::cross_mesh_listeners(*view)) {
      listener.tags.insert_or_assign(std::string(mesh::kMeshTag), view->name);
      count(listener.tags, 1, counts);
    }
    append(view->name, counts, false, list);
  }
  return list;
}

bool same_services(const List& a, const List& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return google::protobuf::util::MessageDifferencer::Equals(x, y);
  });
}

}  // namespace kuma::xds
