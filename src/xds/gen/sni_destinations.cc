#include "xds/gen/sni_destinations.h"

#include <algorithm>

#include "base/json.h"
#include "mesh/v1alpha1/gateway.pb.h"
#include "mesh/v1alpha1/gateway_route.pb.h"
#include "mesh/v1alpha1/traffic_route.pb.h"
#include "mesh/v1alpha1/virtual_outbound.pb.h"
#include "policy/legacy.h"
#include "policy/target_ref.h"

namespace kuma::xds {
namespace {

using mesh::v1alpha1::MeshGateway;
using mesh::v1alpha1::MeshGatewayRoute;
using mesh::v1alpha1::TrafficRoute;
using mesh::v1alpha1::VirtualOutbound;
using policy::TargetKind;
using policy::TargetRef;

const json::array& list_of(const json::value& object, std::string_view member) {
  static const json::array kNone;
  const json::value* found = find(object, member);
  return found != nullptr && found->is_array() ? found->get_array() : kNone;
}

// Nothing for what is no set of instances.
std::optional<mesh::Tags> tags_of(const std::optional<TargetRef>& target) {
  if (!target) {
    return std::nullopt;
  }
  mesh::Tags tags = target->tags;
  switch (target->kind) {
    case TargetKind::Mesh:
    case TargetKind::MeshSubset:
      tags[std::string(mesh::kServiceTag)] = "*";
      return tags;
    case TargetKind::MeshService:
    case TargetKind::MeshServiceSubset:
      tags[std::string(mesh::kServiceTag)] = target->name;
      return tags;
    case TargetKind::MeshGateway:
    case TargetKind::MeshHTTPRoute:
      break;
  }
  return std::nullopt;
}

}  // namespace

SniDestinations::SniDestinations(const mesh::MeshView& view, const std::vector<mesh::Tags>& available) {
  add_traffic_routes(view);
  add_http_routes(view);
  add_gateway_routes(view);
  add_gateways(view);
  add_virtual_outbounds(view, available);
}

const std::vector<mesh::Tags>& SniDestinations::of(std::string_view service) const {
  static const std::vector<mesh::Tags> kNone;
  auto found = by_service_.find(service);
  return found == by_service_.end() ? kNone : found->second;
}

// Once each: the server name would be taken already.
void SniDestinations::add(mesh::Tags tags) {
  auto& list = by_service_[std::string(mesh::tag(tags, mesh::kServiceTag))];
  if (std::ranges::find(list, tags) == list.end()) {
    list.push_back(std::move(tags));
  }
}

void SniDestinations::add_traffic_routes(const mesh::MeshView& view) {
  auto add_all = [this](const auto& from) {
    for (const auto& part : from.split()) {
      add(mesh::to_tags(part.destination()));
    }
    if (from.split().empty() && !from.destination().empty()) {
      add(mesh::to_tags(from.destination()));
    }
  };
  for (const model::ResourcePtr& route : view.policies_of("TrafficRoute")) {
    const auto& conf = route->as<TrafficRoute>().conf();
    add_all(conf);
    for (const auto& http : conf.http()) {
      add_all(http);
    }
  }
}

// With one such route, every service has one by default.
void SniDestinations::add_http_routes(const mesh::MeshView& view) {
  const mesh::ResourceList& routes = view.policies_of("MeshHTTPRoute");
  if (!routes.empty()) {
    add({{std::string(mesh::kServiceTag), "*"}});
  }
  for (const model::ResourcePtr& route : routes) {
    for (const json::value& to : list_of(route->spec, "to")) {
      auto target = tags_of(policy::parse_target_ref(to, "targetRef"));
      if (!target) {
        continue;
      }
      for (const json::value& rule : list_of(to, "rules")) {
        const json::value* settings = find(rule, "default");
        const json::value* backends = settings == nullptr ? nullptr : find(*settings, "backendRefs");
        if (backends == nullptr || !backends->is_array() || backends->get_array().empty()) {
          add(*target);
          continue;
        }
        for (const json::value& backend : backends->get_array()) {
          if (auto tags = tags_of(policy::parse_target_ref(backend))) {
            add(*std::move(tags));
          }
        }
      }
    }
  }
}

void SniDestinations::add_gateway_routes(const mesh::MeshView& view) {
  for (const model::ResourcePtr& resource : view.policies_of("MeshGatewayRoute")) {
    const auto& conf = resource->as<MeshGatewayRoute>().conf();
    for (const auto& rule : conf.http().rules()) {
      for (const auto& backend : rule.backends()) {
        add(mesh::to_tags(backend.destination()));
      }
    }
    for (const auto& rule : conf.tcp().rules()) {
      for (const auto& backend : rule.backends()) {
        add(mesh::to_tags(backend.destination()));
      }
    }
  }
}

void SniDestinations::add_gateways(const mesh::MeshView& view) {
  for (const model::ResourcePtr& resource : view.policies_of("MeshGateway")) {
    const auto& gateway = resource->as<MeshGateway>();
    for (const auto& selector : gateway.selectors()) {
      for (const auto& listener : gateway.conf().listeners()) {
        if (listener.crossmesh()) {
          mesh::Tags tags = mesh::to_tags(listener.tags());  // insert keeps what is there
          tags.insert(selector.match().begin(), selector.match().end());
          tags.insert(gateway.tags().begin(), gateway.tags().end());
          add(std::move(tags));
        }
      }
    }
  }
}

void SniDestinations::add_virtual_outbounds(const mesh::MeshView& view, const std::vector<mesh::Tags>& available) {
  for (const model::ResourcePtr& resource : view.policies_of("VirtualOutbound")) {
    for (const mesh::Tags& service : available) {
      if (!policy::best_rank(*resource, policy::SelectorList::Selectors, {service})) {
        continue;
      }
      mesh::Tags tags;
      for (const auto& parameter : resource->as<VirtualOutbound>().conf().parameters()) {
        const std::string& key = parameter.tag_key().empty() ? parameter.name() : parameter.tag_key();
        tags.emplace(key, mesh::tag(service, key));
      }
      tags[std::string(mesh::kServiceTag)] = mesh::tag(service, mesh::kServiceTag);
      add(std::move(tags));
    }
  }
}

}  // namespace kuma::xds
