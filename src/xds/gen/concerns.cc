#include <algorithm>
#include <array>

#include "google/protobuf/util/message_differencer.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "model/gateways.h"
#include "policy/legacy.h"
#include "policy/matched.h"
#include "xds/gen/generator.h"
#include "xds/gen/outbounds.h"

namespace kuma::xds {
namespace {

using mesh::v1alpha1::Dataplane;

// A proxy that has this among its services looks at all of them.
constexpr std::string_view kEveryService = "*";

bool talks_to(const model::Resource& policy, const std::set<std::string>& services) {
  return std::ranges::any_of(services,
                             [&](const std::string& service) { return policy::has_destination(policy, service); });
}

bool legacy_concerns(const model::Resource& policy, const policy::LegacyReach& reach, const mesh::MeshView& view,
                     const mesh::DataplaneView& dataplane, const Generation& last) {
  using policy::SelectorList;
  if (reach.outbound && model::is_builtin_gateway(dataplane.resource->as<Dataplane>())) {
    return true;  // its sources are its listeners, and its destinations are more than services
  }
  if (reach.selected && policy::best_rank(policy, SelectorList::Selectors, dataplane.tag_sets)) {
    return true;
  }
  if (reach.inbound && policy::best_rank(policy, SelectorList::Destinations, dataplane.tag_sets)) {
    return true;
  }
  if (reach.outbound && policy::best_rank(policy, SelectorList::Sources, dataplane.tag_sets) &&
      talks_to(policy, *last.services)) {
    return true;
  }
  // A permission also decides which external services a client sees.
  return policy.type->name == "TrafficPermission" && view.mtls_enabled() &&
         std::ranges::any_of(*last.services, [&](const std::string& name) {
           const mesh::Service* service = view.find_service(name);
           return service != nullptr && !service->direct.empty();
         });
}

bool is_gateway(const mesh::DataplaneView& dataplane) { return dataplane.resource->as<Dataplane>().networking().has_gateway(); }

bool policy_concerns(const model::ResourcePtr& policy, const mesh::MeshView& view, const mesh::DataplaneView& dataplane,
                     const Generation& last) {
  if (policy == nullptr) {
    return false;
  }
  const std::string_view type = policy->type->name;
  if (policy->type->is_target_ref) {
    auto target = policy::parse_target_ref(policy->spec, "targetRef");
    if (!target) {
      return false;
    }
    if (target->kind == policy::TargetKind::MeshHTTPRoute || is_gateway(dataplane)) {
      return true;  // what it selects depends on other resources, which change too
    }
    return std::ranges::any_of(dataplane.tag_sets,
                               [&](const mesh::Tags& tags) { return policy::selects_tags(*target, tags); });
  }
  if (auto reach = policy::legacy_reach(type); reach.known) {
    return legacy_concerns(*policy, reach, view, dataplane, last);
  }
  if (type == "ExternalService" || type == "VirtualOutbound") {
    return false;  // it is part of a service, or of the VIPs, whose change is told apart
  }
  if (type == "MeshGateway" || type == "MeshGatewayRoute") {
    return is_gateway(dataplane);
  }
  return true;
}

template <typename A, typename B>
bool intersect(const std::set<A>& few, const std::set<B>& many) {
  return std::ranges::any_of(few, [&](const A& one) { return many.contains(one); });
}

bool has_permission(const mesh::MeshChange& change) {
  return std::ranges::any_of(change.policies, [](const auto& pair) {
    return (pair.first != nullptr ? pair.first : pair.second)->type->name == "MeshTrafficPermission";
  });
}

// What only transparent proxies depend on: VIPs, who may be reached, the addresses of single instances.
bool redirection_concerns(const mesh::MeshChange& change, const mesh::MeshView& view, const mesh::DataplaneView& dataplane,
                          const Generation& last, SharedPieces* pieces) {
  const auto& networking = dataplane.resource->as<Dataplane>().networking();
  if (!networking.has_transparent_proxying()) {
    return false;
  }
  if (!change.dataplanes.empty() && !networking.transparent_proxying().direct_access_services().empty()) {
    return true;
  }
  if (!change.vip_services.empty() && !networking.outbound().empty()) {
    return true;  // an outbound at an address that is a VIP now, or isn't any more
  }
  bool may_differ = !change.vip_services.empty() || change.reach || (view.reach_tags != nullptr && has_permission(change));
  return may_differ && vip_fingerprint(view, dataplane, pieces) != last.vips;
}

bool other_mesh_concerns(const std::set<std::string>& meshes, const Generation& last) {
  bool trusts_all = std::ranges::any_of(
      last.secrets, [](const SecretRef& secret) { return secret.kind == SecretRef::Kind::AllCas; });
  return !meshes.empty() && (trusts_all || intersect(meshes, last.other_meshes));
}

}  // namespace

bool concerns(const mesh::MeshChange& change, const mesh::MeshView& view, const model::ResourceKey& proxy,
              const Generation* last, SharedPieces* pieces) {
  if (last == nullptr || change.mesh || change.dataplanes.contains(proxy)) {
    return true;
  }
  if (const mesh::DataplaneView* dataplane = view.find_dataplane(proxy);
      dataplane != nullptr && redirection_concerns(change, view, *dataplane, *last, pieces)) {
    return true;
  }
  if (!change.services.empty() &&
      (last->services->contains(std::string(kEveryService)) || intersect(change.services, *last->services))) {
    return true;
  }
  if (intersect(change.secrets, last->data_secrets) || other_mesh_concerns(change.other_meshes, *last)) {
    return true;
  }
  const mesh::DataplaneView* dataplane = view.find_dataplane(proxy);
  if (dataplane == nullptr || change.policies.empty()) {
    return false;
  }
  return std::ranges::any_of(change.policies, [&](const auto& pair) {
    return policy_concerns(pair.first, view, *dataplane, *last) || policy_concerns(pair.second, view, *dataplane, *last);
  });
}

namespace {

bool same_zone_proxy(const model::ResourcePtr& a, const model::ResourcePtr& b) {
  return a == b || (a != nullptr && b != nullptr && google::protobuf::util::MessageDifferencer::Equals(*a->message, *b->message));
}

// Types that say which server names there are, and at an egress what is done with connections.
bool zone_policy_concerns(const model::ResourceType& type, ProxyType proxy) {
  static constexpr std::array<std::string_view, 6> kNames = {"TrafficRoute", "MeshHTTPRoute",   "MeshGatewayRoute",
                                                             "MeshGateway",  "VirtualOutbound", "ExternalService"};
  static constexpr std::array<std::string_view, 3> kEffects = {"TrafficPermission", "FaultInjection", "RateLimit"};
  if (std::ranges::find(kNames, type.name) != kNames.end()) {
    return true;
  }
  return proxy == ProxyType::ZoneEgress && (type.is_target_ref || std::ranges::find(kEffects, type.name) != kEffects.end());
}

}  // namespace

bool concerns_zone_proxy(const mesh::MeshChange& change, const std::string& mesh, const mesh::MeshView* view, ProxyType type,
                         const Generation* last) {
  if (last == nullptr || view == nullptr || change.mesh) {
    return true;
  }
  auto found = last->by_mesh.find(mesh);
  // A mesh that gave nothing may do so now only if it is itself another one, or what the zone offers is.
  if (found == last->by_mesh.end()) {
    return false;
  }
  const MeshInputs& inputs = found->second;
  if ((type == ProxyType::ZoneEgress && change.zone_proxies) || intersect(change.services, inputs.services) ||
      intersect(change.secrets, inputs.data_secrets) || (inputs.gateways && !change.dataplanes.empty())) {
    return true;
  }
  return std::ranges::any_of(change.policies, [&](const auto& pair) {
    return zone_policy_concerns(*(pair.first == nullptr ? pair.second : pair.first)->type, type);
  });
}

bool own_resource_concerns(const mesh::ZoneView& zone, ProxyType type, const std::string& proxy, const Generation* last) {
  if (last == nullptr) {
    return true;
  }
  return !same_zone_proxy(last->zone_proxy, type == ProxyType::ZoneIngress ? zone.find_ingress(proxy) : zone.find_egress(proxy));
}

}  // namespace kuma::xds
