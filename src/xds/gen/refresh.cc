#include "xds/gen/refresh.h"

#include <algorithm>
#include <utility>

#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "policy/envoy/outbound.h"
#include "xds/gen/take_piece.h"

namespace kuma::xds {
namespace {

using mesh::v1alpha1::Dataplane;

// A proxy that has this among its services looks at all of them.
constexpr std::string_view kEveryService = "*";

mesh::ServicePtr service_of(const mesh::MeshView& view, const std::string& name) {
  auto found = view.services.find(name);
  return found == view.services.end() ? nullptr : found->second;
}

mesh::DataplanePtr dataplane_of(const mesh::MeshView& view, const model::ResourceKey& key) {
  auto found = view.dataplanes.find(key);
  return found == view.dataplanes.end() ? nullptr : found->second;
}

model::ResourcePtr secret_of(const mesh::MeshView& view, const std::string& name) {
  auto found = view.secrets.find(name);
  return found == view.secrets.end() ? nullptr : found->second;
}

// Looks at the addresses of all dataplanes.
bool has_direct_access(const mesh::DataplaneView& dataplane) {
  const auto& networking = dataplane.resource->as<Dataplane>().networking();
  return !networking.transparent_proxying().direct_access_services().empty();
}

bool differ_in_endpoints_only(const mesh::Service& before, const mesh::Service& after) {
  return before.protocol == after.protocol && before.external == after.external && before.tls_ready == after.tls_ready &&
         before.direct.empty() && after.direct.empty();
}

bool is_kept_by(const policy::PieceKey& key, const mesh::ServicePtr& service) {
  return std::ranges::any_of(key.kept(), [&](const auto& kept) { return kept.get() == service.get(); });
}

// Of the next state of the service; nothing when a policy's change depends on the last one.
std::optional<policy::EndpointsDraft> draft_again(const std::string& cluster, const EndpointsRecipe& recipe,
                                                  const mesh::ServicePtr& before, const mesh::MeshView& view) {
  const policy::envoy::LocalityRules locality{
      .local_zone = view.zone, .prefer_local = view.mesh->as<mesh::v1alpha1::Mesh>().routing().localityawareloadbalancing()};
  auto draft = policy::envoy::draft_endpoints(cluster, recipe.subject->tags, service_of(view, recipe.subject->service), locality);
  for (const auto& change : recipe.changes) {
    if (is_kept_by(change.fingerprint, before)) {
      return std::nullopt;
    }
    draft.change_again(change);
  }
  return draft;
}

}  // namespace

EndpointRefresh::EndpointRefresh(const mesh::MeshView& view, const ProxyInput& proxy, std::shared_ptr<const Generation> last)
    : proxy_(proxy.key),
      last_(std::move(last)),
      mesh_(view.mesh),
      trust_(view.trust),
      dataplane_(dataplane_of(view, proxy.key)),
      policies_(view.policies),
      other_meshes_(view.other_meshes),
      vips_(view.vips),
      reach_tags_(view.reach_tags) {
  possible_ = proxy.metadata.proxy_type == ProxyType::Dataplane && dataplane_ != nullptr && !has_direct_access(*dataplane_) &&
              !last_->services->contains(std::string(kEveryService));
  // Where an endpoint list comes from may not be known, nor which of several problems are its own.
  for (const auto& recipe : last_->endpoint_recipes) {
    possible_ = possible_ && recipe != nullptr && (recipe->changes.empty() || last_->problems.empty());
  }
  if (!possible_) {
    return;
  }
  for (const std::string& service : *last_->services) {
    services_.push_back(service_of(view, service));
  }
  for (const std::string& secret : last_->data_secrets) {
    data_secrets_.push_back(secret_of(view, secret));
  }
}

bool EndpointRefresh::is_possible(const mesh::MeshView& view) const {
  return possible_ && view.mesh == mesh_ && view.trust == trust_ && view.vips == vips_ && view.reach_tags == reach_tags_ &&
         view.policies == policies_ && view.other_meshes == other_meshes_ && dataplane_of(view, proxy_) == dataplane_ &&
         std::ranges::equal(data_secrets_, last_->data_secrets, {}, {},
                            [&](const std::string& name) { return secret_of(view, name); });
}

std::optional<std::map<std::string, mesh::ServicePtr, std::less<>>> EndpointRefresh::take_changed(const mesh::MeshView& view) {
  std::map<std::string, mesh::ServicePtr, std::less<>> changed;
  size_t at = 0;
  for (const std::string& name : *last_->services) {
    mesh::ServicePtr& known = services_[at++];
    mesh::ServicePtr now = service_of(view, name);
    if (now == known) {
      continue;
    }
    if (now == nullptr || known == nullptr || !differ_in_endpoints_only(*known, *now)) {
      return std::nullopt;
    }
    changed.emplace(name, std::exchange(known, std::move(now)));
  }
  return changed;
}

std::optional<std::vector<WireResourcePtr>> EndpointRefresh::refresh(const mesh::MeshView& view,
                                                                     const std::vector<WireResourcePtr>& endpoints,
                                                                     const GeneratorContext& context) {
  possible_ = is_possible(view) && endpoints.size() == last_->endpoint_recipes.size();
  auto changed = possible_ ? take_changed(view) : std::nullopt;
  if (!changed) {
    possible_ = false;
    return std::nullopt;
  }
  std::vector<WireResourcePtr> next = endpoints;
  for (size_t i = 0; i < next.size() && !changed->empty(); ++i) {
    const EndpointsRecipe& recipe = *last_->endpoint_recipes[i];
    const auto service = changed->find(recipe.subject->service);
    if (service == changed->end() || recipe.subject->tags.contains(mesh::kMeshTag)) {
      continue;
    }
    auto draft = draft_again(next[i]->name, recipe, service->second, view);
    Piece piece = draft ? take_piece(context, XdsType::Endpoint, *draft) : Piece{};
    if (piece.wire == nullptr || !piece.left_out.empty()) {
      possible_ = false;
      return std::nullopt;
    }
    next[i] = std::move(piece.wire);
  }
  return next;
}

}  // namespace kuma::xds
