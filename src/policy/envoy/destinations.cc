#include "policy/envoy/destinations.h"

#include "base/status.h"
#include "base/text.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "policy/envoy/names.h"

namespace kuma::policy::envoy {
namespace {

// The service of an egress, in its identity.
constexpr std::string_view kEgressService = "zone-egress";

}  // namespace

Destinations::Destinations(const mesh::MeshView& view, ProxyResources& resources) : view_(view), resources_(resources) {
  locality_.local_zone = view.zone;
  locality_.prefer_local = view.mesh->as<mesh::v1alpha1::Mesh>().routing().localityawareloadbalancing();
}

bool Destinations::is_of_other_mesh(const mesh::Tags& tags) const {
  auto peer = mesh::tag(tags, mesh::kMeshTag);
  return !peer.empty() && peer != view_.name;
}

mesh::ServicePtr Destinations::find(const mesh::Tags& tags) {
  auto service = mesh::tag(tags, mesh::kServiceTag);
  if (is_of_other_mesh(tags)) {
    auto peer = mesh::tag(tags, mesh::kMeshTag);
    resources_.other_meshes.emplace(peer);
    auto other = view_.other_meshes.find(peer);
    if (other == view_.other_meshes.end() || other->second.gateways == nullptr) {
      return nullptr;
    }
    auto gateway = other->second.gateways->find(service);
    return gateway == other->second.gateways->end() ? nullptr : gateway->second;
  }
  if (auto known = found_.find(to_absl(service)); known != found_.end()) {
    return known->second;
  }
  auto found = view_.services.find(service);
  resources_.services.emplace(service);
  return found_.emplace(service, found == view_.services.end() ? nullptr : found->second).first->second;
}

std::optional<mesh::Protocol> Destinations::protocol_of(const mesh::Tags& tags) {
  const mesh::ServicePtr service = find(tags);
  return is_of_other_mesh(tags) ? std::nullopt : protocol_of(service.get());
}

std::optional<mesh::Protocol> Destinations::protocol_of(const mesh::Service* service) const {
  if (service == nullptr || (service->endpoints.empty() && outside(service).empty())) {
    return std::nullopt;
  }
  return service->protocol;
}

std::vector<mesh::EndpointPtr> Destinations::outside(const mesh::Service* service) const {
  if (service == nullptr || !service->endpoints.empty() || service->direct.empty() || resources_.dataplane == nullptr) {
    return {};
  }
  return visible_external(*service, view_, *resources_.dataplane);
}

bool Destinations::leaves_mesh(const mesh::Tags& tags) { return leaves_mesh(find(tags).get()); }

bool Destinations::leaves_mesh(const mesh::Service* service) const {
  return service != nullptr && (service->endpoints.empty() ? !outside(service).empty() : service->external);
}

std::optional<ExternalCluster> Destinations::external(const mesh::Tags& tags) { return external(find(tags).get()); }

std::optional<ExternalCluster> Destinations::external(const mesh::Service* service) const {
  auto endpoints = outside(service);
  if (endpoints.empty()) {
    return std::nullopt;
  }
  return ExternalCluster{.endpoints = load_external(endpoints, view_, resources_.data_secrets, resources_.problems),
                         .locality = locality_,
                         .ipv6 = is_ipv6_address(resources_.dataplane->address)};
}

// mTLS needs a certificate at both ends: both meshes have it on, and a PERMISSIVE one has given one to every instance.
std::optional<MeshClientTls> Destinations::tls_of(const mesh::Tags& tags, const mesh::Service* service,
                                                bool assume_ready) const {
  const std::string& own = view_.name;
  std::string peer(mesh::tag(tags, mesh::kMeshTag));
  bool is_own = peer.empty() || peer == own;
  if (!view_.mtls_enabled()) {
    return std::nullopt;
  }
  if (is_own) {
    peer = own;
    if (!assume_ready && view_.permissive() && (service == nullptr || !service->tls_ready)) {
      return std::nullopt;
    }
  } else if (auto other = view_.other_meshes.find(peer);
             other == view_.other_meshes.end() || other->second.trust == nullptr) {
    return std::nullopt;
  }
  bool by_egress = service != nullptr && service->external && !service->endpoints.empty();
  std::string_view identity = by_egress ? kEgressService : mesh::tag(tags, mesh::kServiceTag);
  return MeshClientTls{
      .mesh = own, .peer_mesh = peer, .peer_identity = spiffe_id(peer, identity), .sni = sni_of(tags, peer)};
}

void Destinations::put(DestinationCluster cluster) {
  mesh::ServicePtr service = find(cluster.tags);
  cluster.protocol = protocol_of(service.get()).value_or(mesh::Protocol::Unknown);
  cluster.leaves_mesh = leaves_mesh(service.get());
  if (cluster.external = external(service.get()); cluster.external) {
    ProxyResources::put(resources_.clusters, draft_destination_cluster(std::move(cluster)));
    return;
  }
  cluster.tls = tls_of(cluster.tags, service.get(), false);
  if (cluster.tls) {
    resources_.need_mesh_secrets(cluster.tls->mesh, cluster.tls->peer_mesh);
  }
  ProxyResources::put(resources_.endpoints, draft_endpoints(cluster.name, cluster.tags, service, locality_));
  ProxyResources::put(resources_.clusters, draft_destination_cluster(std::move(cluster)));
}

}  // namespace kuma::policy::envoy
