#include <algorithm>

#include "base/status.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "system/v1alpha1/secret.pb.h"
#include "xds/server/engine_impl.h"

// From the store's changes to marked proxies.
namespace kuma::xds {
namespace {

// Changes kept for a proxy whose generation is under way; with more it is generated again, whatever they are.
constexpr size_t kChangesMeanwhileMax = 64;

bool is_of_zone_proxy(const model::Change& change) {
  return change.type().name == "ZoneIngress" || change.type().name == "ZoneEgress";
}

// Whose addresses may be host names.
bool has_address(const model::Change& change) { return change.type().name == "Dataplane" || is_of_zone_proxy(change); }

}  // namespace

void Engine::Impl::on_changes(std::span<const model::Change> changes) {
  const std::lock_guard lock(pending_mutex);
  pending.insert(pending.end(), changes.begin(), changes.end());
  if (!drain_posted) {
    drain_posted = true;
    post([this] { drain(); });
  }
}

void Engine::Impl::drain() {
  std::vector<model::Change> changes;
  {
    const std::lock_guard lock(pending_mutex);
    changes.swap(pending);
    drain_posted = false;
  }
  batches.add();
  bool admin_changed = false;
  for (const model::Change& change : changes) {
    admin_changed = take_admin_authority(change) || admin_changed;
  }
  std::vector<mesh::MeshUpdate> updates = builder.apply(changes);
  const bool of_zone_proxies = std::any_of(changes.begin(), changes.end(), is_of_zone_proxy);
  if (!updates.empty() || of_zone_proxies) {
    on_new_zone_view();
  }
  if (of_zone_proxies) {
    consider_own_resources(std::make_shared<Propagation>(changes.front().committed_at, propagation));
  }
  apply(std::move(updates));
  if (admin_changed) {
    waits_for_admin_authority = false;
    for (const auto& [key, proxy] : proxies) {
      scheduler.mark(key, PushScheduler::Reason::Change);
    }
  }
  if (std::any_of(changes.begin(), changes.end(), has_address)) {
    resolver->watch(builder.hosts());
  }
  run();
}

void Engine::Impl::apply(std::vector<mesh::MeshUpdate> updates) {
  for (mesh::MeshUpdate& update : updates) {
    publish(update);
    const bool is_gone = update.view == nullptr;
    const std::string name = is_gone ? update.previous->name : update.view->name;
    const auto token = std::make_shared<Propagation>(update.change.committed_at, propagation);
    const ConnectedProxy::MarkedUpdate marked{std::make_shared<const mesh::MeshUpdate>(std::move(update)), token};
    // The dataplanes of a mesh stand together; those of a mesh that is gone keep what they have.
    for (auto it = proxies.lower_bound({ProxyType::Dataplane, {name, ""}});
         !is_gone && it != proxies.end() && it->first.type == ProxyType::Dataplane && it->first.key.mesh == name; ++it) {
      consider(it->first, it->second, marked);
    }
    // The zone's own proxies may have something of every mesh.
    for (auto it = first_zone_proxy(); it != proxies.end(); ++it) {
      consider(it->first, it->second, marked);
    }
  }
}

void Engine::Impl::mark_available_services() {
  const auto first = proxies.lower_bound({ProxyType::ZoneIngress, {}});
  const bool has_ingress = first != proxies.end() && first->first.type == ProxyType::ZoneIngress;
  if (available_services_timer == nullptr && parts.write_available_services != nullptr && has_ingress) {
    const MonotonicTime due = available_services_at + options.available_services_interval;
    available_services_timer = post_after(due - parts.clock.monotonic_now(), [this] { count_available_services(); });
  }
}

void Engine::Impl::count_available_services() {
  available_services_timer = nullptr;
  available_services_at = parts.clock.monotonic_now();
  const mesh::ZoneView zone = builder.zone_view();
  const AvailableServices::List services = available_services.compute(zone);
  for (auto it = proxies.lower_bound({ProxyType::ZoneIngress, {}}); it != proxies.end() && it->first.type == ProxyType::ZoneIngress;
       ++it) {
    const model::ResourcePtr ingress = zone.find_ingress(it->first.key.name);
    if (ingress != nullptr && !same_services(ingress->as<::kuma::mesh::v1alpha1::ZoneIngress>().availableservices(), services)) {
      parts.write_available_services(it->first.key.name, services);
    }
  }
}

void Engine::Impl::on_new_zone_view() {
  mark_available_services();
  zone_view = nullptr;
}

void Engine::Impl::consider_own_resources(const PropagationPtr& token) {
  for (auto it = first_zone_proxy(); it != proxies.end(); ++it) {
    if (it->second.busy || own_resource_concerns(*current_zone_view(), it->first.type, it->first.key.name, it->second.last.get())) {
      scheduler.mark(it->first, PushScheduler::Reason::Change, token);
    }
  }
}

const std::shared_ptr<const mesh::ZoneView>& Engine::Impl::current_zone_view() {
  if (zone_view == nullptr) {
    zone_view = std::make_shared<const mesh::ZoneView>(builder.zone_view());
  }
  return zone_view;
}

bool Engine::Impl::concerned(const ProxyKey& key, const ConnectedProxy& proxy, const mesh::MeshUpdate& update) {
  if (key.type == ProxyType::Dataplane) {
    return concerns(update.change, *update.view, key.key, proxy.last.get(), &pieces);
  }
  const std::string& mesh = (update.view == nullptr ? update.previous : update.view)->name;
  return concerns_zone_proxy(update.change, mesh, update.view.get(), key.type, proxy.last.get());
}

void Engine::Impl::consider(const ProxyKey& key, ConnectedProxy& proxy, const ConnectedProxy::MarkedUpdate& marked) {
  if (proxy.busy && proxy.meanwhile.size() < kChangesMeanwhileMax) {
    proxy.meanwhile.push_back(marked);  // what it looks at is known when the generation is through
  } else if (proxy.busy || concerned(key, proxy, *marked.update)) {
    scheduler.mark(key, PushScheduler::Reason::Change, marked.propagation);
  }
}

void Engine::Impl::publish(const mesh::MeshUpdate& update) {
  const std::lock_guard lock(published_mutex);
  if (update.view != nullptr) {
    published.insert_or_assign(update.view->name, update.view);
  } else {
    published.erase(update.previous->name);
  }
}

bool Engine::Impl::take_admin_authority(const model::Change& change) {
  if (change.after == nullptr || change.type().name != "GlobalSecret" || change.meta().name != kAdminCaSecret) {
    return false;
  }
  const std::string& pem = change.after->as<::kuma::system::v1alpha1::Secret>().data().value();
  if (admin_authority != nullptr && pem == admin_authority->pem) {
    return false;
  }
  auto authority = security::Authority::load(pem, pem);
  if (!authority.ok()) {
    log->error("the GlobalSecret {} is not usable: {}", kAdminCaSecret, message_of(authority.status()));
    return false;
  }
  admin_authority = std::make_shared<const AdminAuthority>(AdminAuthority{*std::move(authority), pem});
  return true;
}

}  // namespace kuma::xds
