#include <algorithm>

#include "mesh/gateways.h"
#include "mesh/mesh_state.h"
#include "mesh/trust.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "system/v1alpha1/secret.pb.h"

// What meshes see of each other: their trust, and gateways for all.

namespace kuma::mesh {
namespace {

bool same_trust(const TrustPtr& a, const TrustPtr& b) { return a == b || (a != nullptr && b != nullptr && *a == *b); }

using GatewaysPtr = std::shared_ptr<const GatewayServices>;

bool same_gateways(const GatewaysPtr& a, const GatewaysPtr& b) {
  if (a == nullptr || b == nullptr) {
    return a == b;
  }
  return std::ranges::equal(*a, *b, [](const auto& x, const auto& y) {
    return x.first == y.first && same_service(*x.second, *y.second);
  });
}

}  // namespace

void MeshState::set_other_mesh(const std::string& name, const OtherMesh& other) {
  if (other.mesh == nullptr) {
    if (other_meshes_.erase(name) == 0) {
      return;
    }
  } else {
    OtherMesh& entry = other_meshes_[name];
    if (entry == other) {
      return;
    }
    entry = other;
  }
  pending_.other_meshes.insert(name);
}

void MeshState::refresh_files(const GlobalState& global) {
  const auto gateways = policies_.find("MeshGateway");
  if (is_outline_ || global.secret_type == nullptr || gateways == policies_.end()) {
    return;
  }
  std::map<std::string, model::ResourcePtr> wanted;  // by name of the secret
  for (const std::string& path : certificate_files(*gateways->second)) {
    auto read = global.options->read_file ? global.options->read_file(path) : absl::NotFoundError("nobody reads files here");
    if (read.ok()) {
      auto spec = std::make_unique<kuma::system::v1alpha1::Secret>();
      spec->mutable_data()->set_value(*std::move(read));
      wanted[secret_of_file(path)] = std::make_shared<const model::Resource>(
          model::make_resource(*global.secret_type, {name_, secret_of_file(path)}, std::move(spec)));
    }
  }
  for (auto held = secrets_.begin(); held != secrets_.end(); ++held) {
    if (held->first.starts_with(secret_of_file(""))) {
      wanted.try_emplace(held->first, nullptr);  // not needed any more, or not readable
    }
  }
  for (const auto& [name, file] : wanted) {
    set_secret(name, file);
  }
}

bool MeshState::refresh_shown(const GlobalState& global) {
  if (gateways_dirty_ || mesh_changed_) {
    refresh_files(global);
  }
  const bool other_trust = refresh_trust(global);
  gateways_dirty_ = gateways_dirty_ || other_trust;
  const bool other_gateways = gateways_dirty_ && !is_outline_ && refresh_gateways(global);
  gateways_dirty_ = false;
  return other_trust || other_gateways;
}

OtherMesh MeshState::shown_to(const MeshState& other) const {
  return {.mesh = mesh_, .trust = trust_, .gateways = other.zone_egress_ ? gateways_through_egress_ : gateways_};
}

bool MeshState::refresh_gateways(const GlobalState& global) {
  GatewaysPtr next;
  GatewaysPtr through_egress;
  if (mesh_ != nullptr && mtls_) {  // without mTLS the listeners are left out
    std::vector<CrossMeshListener> listeners;
    if (auto gateways = policies_.find("MeshGateway"); gateways != policies_.end() && has_cross_mesh_listener(*gateways->second)) {
      for (const auto& [name, state] : dataplanes_) {
        if (state->view != nullptr) {
          add_cross_mesh_listeners(*state->view, *gateways->second, listeners);
        }
      }
    }
    ZoneInputs inputs = zone_inputs(global);
    auto build = [&](bool zone_egress) {
      inputs.zone_egress = zone_egress;
      auto services = std::make_shared<const GatewayServices>(build_gateway_services(listeners, inputs));
      return services->empty() ? nullptr : services;
    };
    next = build(false);
    through_egress = zone_egress_ ? build(true) : next;
  }
  if (same_gateways(gateways_, next) && same_gateways(gateways_through_egress_, through_egress)) {
    return false;
  }
  gateways_ = std::move(next);
  gateways_through_egress_ = std::move(through_egress);
  return true;
}

bool MeshState::refresh_trust(const GlobalState& global) {
  if (!trust_dirty_) {
    return false;
  }
  trust_dirty_ = false;
  bool visible = mesh_changed_;
  mesh_changed_ = false;
  TrustPtr next;
  if (mesh_ != nullptr) {
    TrustSources sources{.secret = [this](std::string_view secret) -> const std::string* {
                           auto found = secrets_.find(secret);
                           return found == secrets_.end()
                                      ? nullptr
                                      : &found->second->as<kuma::system::v1alpha1::Secret>().data().value();
                         },
                         .read_file = global.options->read_file};
    next = load_trust(*mesh_, sources);
  }
  if (!same_trust(trust_, next)) {
    trust_ = std::move(next);
    pending_.mesh = true;
    visible = true;
  }
  const auto* backend = mesh_ == nullptr ? nullptr : enabled_backend(mesh_->as<v1alpha1::Mesh>());
  mtls_ = backend != nullptr;
  permissive_ = mtls_ && backend->mode() == v1alpha1::CertificateAuthorityBackend::PERMISSIVE;
  zone_egress_ = mtls_ && mesh_->as<v1alpha1::Mesh>().routing().zoneegress();
  if (visible) {
    zone_dirty_ = true;
    recount_ready();
  }
  return visible;
}

}  // namespace kuma::mesh
