#include "mesh/view_builder.h"

#include "mesh/mesh_state.h"
#include "mesh/v1alpha1/dataplane_insight.pb.h"

namespace kuma::mesh {
namespace {

// Mesh-scoped types that no proxy's configuration depends on, or that have a place of their own in the view.
bool is_policy_like(const model::ResourceType& type) {
  return type.scope == model::Scope::Mesh && !type.read_only && type.name != "Dataplane" && type.name != "Secret";
}

}  // namespace

struct ViewBuilder::Impl {
  ViewOptions options;
  GlobalState global;
  std::map<std::string, MeshState, std::less<>> meshes;
  std::set<std::string> dirty;  // names of meshes with marked changes

  // Null when a delete concerns a mesh that nothing is known of.
  MeshState& state(const std::string& mesh) { return meshes.try_emplace(mesh, mesh).first->second; }

  void take(const model::Change& change);
  void take_of_mesh(const model::Change& change);
  void take_config(const model::Change& change);
  bool take_zone_proxy(std::map<std::string, model::ResourcePtr>& known, const model::Change& change);
  void zone_proxies_changed();
  void show_others(const std::set<std::string>& changed);
  std::vector<MeshUpdate> publish();
};

void ViewBuilder::Impl::take(const model::Change& change) {
  const model::ResourceType& type = change.type();
  if (type.scope == model::Scope::Mesh) {
    take_of_mesh(change);
  } else if (type.name == "Mesh") {
    MeshState& mesh = state(change.meta().name);
    mesh.set_mesh(change.after);
    mesh.mark_committed(change);
    dirty.insert(mesh.name());
  } else if (type.name == "Config") {
    take_config(change);
  } else if ((type.name == "ZoneIngress" && take_zone_proxy(global.zone_ingresses, change)) ||
             (type.name == "ZoneEgress" && take_zone_proxy(global.zone_egresses, change))) {
    zone_proxies_changed();
    for (auto& [name, mesh] : meshes) {
      mesh.mark_committed(change);
    }
  }
}

void ViewBuilder::Impl::take_of_mesh(const model::Change& change) {
  const model::ResourceType& type = change.type();
  const model::ResourceMeta& meta = change.meta();
  bool is_insight = type.name == "DataplaneInsight";
  bool concerned = is_insight || type.name == "Dataplane" || type.name == "Secret" || is_policy_like(type);
  if (!concerned || (change.after == nullptr && !meshes.contains(meta.mesh))) {
    return;
  }
  MeshState& mesh = state(meta.mesh);
  if (is_insight) {
    mesh.set_issued_backend(
        meta.name, change.after == nullptr ? "" : change.after->as<v1alpha1::DataplaneInsight>().mtls().issuedbackend());
  } else if (type.name == "Dataplane") {
    mesh.set_dataplane(meta.name, change.after, global);
  } else if (type.name == "Secret") {
    mesh.set_secret(meta.name, change.after);
  } else {
    mesh.set_policy(type, meta.name, change.after);
  }
  mesh.mark_committed(change);
  dirty.insert(mesh.name());
}

void ViewBuilder::Impl::take_config(const model::Change& change) {
  auto name = mesh_of_vip_config(change.meta().name);
  if (!name || (change.after == nullptr && !meshes.contains(*name))) {
    return;
  }
  MeshState& mesh = state(std::string(*name));
  mesh.set_vips(change.after, options.vip_naming);
  mesh.mark_committed(change);
  dirty.insert(mesh.name());
}

bool ViewBuilder::Impl::take_zone_proxy(std::map<std::string, model::ResourcePtr>& known, const model::Change& change) {
  const std::string& name = change.meta().name;
  if (change.after == nullptr) {
    return known.erase(name) > 0;
  }
  auto& entry = known[name];
  if (entry != nullptr && same_spec(*entry, *change.after)) {
    return false;
  }
  entry = change.after;
  return true;
}

void ViewBuilder::Impl::zone_proxies_changed() {
  global.resolve_zone_proxies();
  for (auto& [name, mesh] : meshes) {
    mesh.mark_zone_proxies();
    dirty.insert(name);
  }
}

// Tells every mesh what it sees of those that show something else now; a mesh that is new or shows something else, of all.
void ViewBuilder::Impl::show_others(const std::set<std::string>& changed) {
  for (auto& [name, mesh] : meshes) {
    bool is_new = mesh.view() == nullptr && mesh.mesh() != nullptr;
    for (const auto& [other_name, other] : meshes) {
      if (other_name != name && (is_new || changed.contains(name) || changed.contains(other_name))) {
        mesh.set_other_mesh(other_name, other.shown_to(mesh));
        dirty.insert(name);
      }
    }
  }
}

std::vector<MeshUpdate> ViewBuilder::Impl::publish() {
  std::set<std::string> changed;
  for (const std::string& name : dirty) {
    if (state(name).refresh_shown(global)) {
      changed.insert(name);
    }
  }
  if (!changed.empty()) {
    show_others(changed);
  }
  std::vector<MeshUpdate> updates;
  for (const std::string& name : dirty) {
    auto found = meshes.find(name);
    if (auto update = found->second.publish(global)) {
      updates.push_back(*std::move(update));
    }
    if (found->second.empty()) {
      meshes.erase(found);
    }
  }
  dirty.clear();
  return updates;
}

ViewBuilder::ViewBuilder(const model::Registry& registry, ViewOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  impl_->global.options = &impl_->options;
  impl_->global.secret_type = registry.find("Secret");
}

ViewBuilder::~ViewBuilder() = default;

std::vector<MeshUpdate> ViewBuilder::apply(std::span<const model::Change> changes) {
  for (const model::Change& change : changes) {
    impl_->take(change);
  }
  return impl_->publish();
}

std::vector<std::string> ViewBuilder::hosts() const {
  std::set<std::string> hosts;
  for (const auto& [name, mesh] : impl_->meshes) {
    mesh.add_hosts(hosts);
  }
  for (const auto* known : {&impl_->global.zone_ingresses, &impl_->global.zone_egresses}) {
    for (const auto& [name, resource] : *known) {
      for (std::string& host : hosts_of(*resource)) {
        hosts.insert(std::move(host));
      }
    }
  }
  return {hosts.begin(), hosts.end()};
}

std::vector<MeshUpdate> ViewBuilder::set_resolved(const std::string& host, const std::string& address) {
  auto [entry, is_new] = impl_->global.resolved.try_emplace(host, address);
  if (!is_new && entry->second == address) {
    return {};
  }
  entry->second = address;
  for (auto& [name, mesh] : impl_->meshes) {
    mesh.re_resolve(host, impl_->global);
    impl_->dirty.insert(name);
  }
  for (const auto* known : {&impl_->global.zone_ingresses, &impl_->global.zone_egresses}) {
    for (const auto& [name, resource] : *known) {
      auto hosts = hosts_of(*resource);
      if (std::ranges::find(hosts, host) != hosts.end()) {
        impl_->zone_proxies_changed();
        return impl_->publish();
      }
    }
  }
  return impl_->publish();
}

MeshViewPtr ViewBuilder::find(std::string_view mesh) const {
  auto found = impl_->meshes.find(mesh);
  return found == impl_->meshes.end() ? nullptr : found->second.view();
}

std::vector<MeshViewPtr> ViewBuilder::views() const {
  std::vector<MeshViewPtr> views;
  for (const auto& [name, mesh] : impl_->meshes) {
    if (mesh.view() != nullptr) {
      views.push_back(mesh.view());
    }
  }
  return views;
}

ZoneView ViewBuilder::zone_view() const {
  return {.zone = impl_->options.zone,
          .meshes = views(),
          .ingresses = impl_->global.all_ingresses,
          .egresses = impl_->global.all_egresses};
}

MeshUpdate ViewBuilder::overlay(std::string_view mesh, std::span<const model::Change> changes) const {
  Impl copy;
  copy.options = impl_->options;
  copy.global = impl_->global;
  copy.global.options = &copy.options;
  for (const auto& [name, state] : impl_->meshes) {
    copy.meshes.emplace(name, name == mesh ? state : state.outline());
  }
  for (const model::Change& change : changes) {
    // Other meshes are here in outline only: of them, just what this one sees of them can change.
    if (change.type().scope == model::Scope::Global || change.meta().mesh == mesh || change.type().name == "Secret") {
      copy.take(change);
    }
  }
  for (MeshUpdate& update : copy.publish()) {
    if ((update.view != nullptr ? update.view : update.previous)->name == mesh) {
      return std::move(update);
    }
  }
  MeshViewPtr unchanged = find(mesh);
  return {.previous = unchanged, .view = unchanged, .change = {}};
}

}  // namespace kuma::mesh
