#include "mesh/mesh_state.h"

#include <algorithm>

#include "base/text.h"
#include "google/protobuf/util/message_differencer.h"
#include "mesh/reach.h"
#include "mesh/trust.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "model/gateways.h"
#include "system/v1alpha1/config.pb.h"
#include "system/v1alpha1/secret.pb.h"

namespace kuma::mesh {
namespace {

template <typename Map>
void append(std::vector<EndpointPtr>& endpoints, const Map& map, const std::string& service) {
  if (auto found = map.find(service); found != map.end()) {
    endpoints.insert(endpoints.end(), found->second.begin(), found->second.end());
  }
}

bool is_gateway(const model::Resource& dataplane) { return model::is_builtin_gateway(dataplane.as<v1alpha1::Dataplane>()); }

}  // namespace

bool same_endpoints(const std::vector<EndpointPtr>& a, const std::vector<EndpointPtr>& b) {
  return std::ranges::equal(a, b, [](const EndpointPtr& x, const EndpointPtr& y) { return x == y || *x == *y; });
}

bool same_service(const Service& a, const Service& b) {
  return a.protocol == b.protocol && a.external == b.external && a.tls_ready == b.tls_ready &&
         same_endpoints(a.endpoints, b.endpoints) && same_endpoints(a.direct, b.direct);
}

bool same_spec(const model::Resource& a, const model::Resource& b) {
  if (a.message == nullptr || b.message == nullptr) {
    return a.message == b.message && a.spec == b.spec;
  }
  return a.message == b.message || google::protobuf::util::MessageDifferencer::Equals(*a.message, *b.message);
}

std::optional<std::string> GlobalState::resolve(const std::string& host) const {
  if (is_ip_address(host)) {
    return host;
  }
  auto found = resolved.find(host);
  return found == resolved.end() || found->second.empty() ? std::nullopt : std::optional(found->second);
}

void GlobalState::resolve_zone_proxies() {
  auto resolver = [this](const std::string& host) { return resolve(host); };
  usable_ingresses.clear();
  all_ingresses.clear();
  for (const auto& [name, ingress] : zone_ingresses) {
    all_ingresses.push_back(ingress);
    if (auto usable = resolve_zone_ingress(ingress, resolver)) {
      all_ingresses.back() = usable;
      usable_ingresses.push_back(std::move(usable));
    }
  }
  usable_egresses.clear();
  all_egresses.clear();
  for (const auto& [name, egress] : zone_egresses) {
    all_egresses.push_back(egress);
    if (auto usable = resolve_zone_egress(egress, resolver)) {
      all_egresses.back() = usable;
      usable_egresses.push_back(std::move(usable));
    }
  }
}

void MeshState::set_mesh(const model::ResourcePtr& after) {
  if (mesh_ != nullptr && after != nullptr && same_spec(*mesh_, *after)) {
    return;
  }
  mesh_ = after;
  mesh_changed_ = true;
  trust_dirty_ = true;
  pending_.mesh = true;
}

void MeshState::set_dataplane(const std::string& dataplane, const model::ResourcePtr& after, const GlobalState& global) {
  auto found = dataplanes_.find(dataplane);
  if (after != nullptr && found != dataplanes_.end() && same_spec(*found->second->resource, *after)) {
    return;
  }
  if (after == nullptr && found == dataplanes_.end()) {
    return;
  }
  if (found != dataplanes_.end()) {
    gateways_dirty_ = gateways_dirty_ || is_gateway(*found->second->resource);
    remove_member(dataplane, found->second);
    dataplanes_.erase(found);
  }
  if (after != nullptr) {
    gateways_dirty_ = gateways_dirty_ || is_gateway(*after);
    auto resolver = [&global](const std::string& host) { return global.resolve(host); };
    auto state = std::make_shared<const DataplaneState>(build_dataplane(after, resolver, local_weight_));
    add_member(dataplane, state);
    dataplanes_.emplace(dataplane, std::move(state));
  }
  dirty_dataplanes_.insert(dataplane);
}

void MeshState::set_issued_backend(const std::string& dataplane, const std::string& backend) {
  auto found = issued_backends_.find(dataplane);
  if (backend == (found == issued_backends_.end() ? std::string_view() : std::string_view(found->second))) {
    return;
  }
  auto state = dataplanes_.find(dataplane);
  if (state != dataplanes_.end()) {  // counted anew: out with the old bit, in with the new
    for (const std::string& service : state->second->services) {
      members_[service].ready -= has_certificate(dataplane) ? 1 : 0;
    }
  }
  if (backend.empty()) {
    issued_backends_.erase(found);
  } else {
    issued_backends_[dataplane] = backend;
  }
  if (state != dataplanes_.end()) {
    for (const std::string& service : state->second->services) {
      members_[service].ready += has_certificate(dataplane) ? 1 : 0;
      if (permissive_) {
        dirty_services_.insert(service);
      }
    }
  }
}

void MeshState::set_secret(const std::string& secret, const model::ResourcePtr& after) {
  auto found = secrets_.find(secret);
  if (after != nullptr && found != secrets_.end() && same_spec(*found->second, *after)) {
    return;
  }
  if (after != nullptr) {
    secrets_.set(secret, after);
  } else if (!secrets_.erase(secret)) {
    return;
  }
  pending_.secrets.insert(secret);
  trust_dirty_ = true;
}

void MeshState::set_policy(const model::ResourceType& type, const std::string& policy, const model::ResourcePtr& after) {
  auto& list = policies_[std::string(type.name)];
  auto next = list == nullptr ? std::make_shared<ResourceList>() : std::make_shared<ResourceList>(*list);
  auto at = std::lower_bound(next->begin(), next->end(), policy,
                             [](const model::ResourcePtr& entry, const std::string& name) { return entry->meta.name < name; });
  bool found = at != next->end() && (*at)->meta.name == policy;
  model::ResourcePtr before = found ? *at : nullptr;
  if (before == nullptr && after == nullptr) {
    return;
  }
  if (before != nullptr && after != nullptr && same_spec(*before, *after) &&
      before->meta.creation_time == after->meta.creation_time) {
    return;
  }
  if (after == nullptr) {
    next->erase(at);
  } else if (found) {
    *at = after;
  } else {
    next->insert(at, after);
  }
  list = std::move(next);
  pending_.policies.emplace_back(std::move(before), after);
  zone_dirty_ = zone_dirty_ || type.name == "ExternalService";
  reach_dirty_ = reach_dirty_ || type.name == "ExternalService";
  gateways_dirty_ = gateways_dirty_ || type.name == "MeshGateway";
}

void MeshState::set_vips(const model::ResourcePtr& config, const VipNaming& naming) {
  VipsPtr next;
  if (config != nullptr) {
    auto table = parse_vip_table(config->as<kuma::system::v1alpha1::Config>().config());
    if (!table.ok()) {
      return;  // whoever allocates says so and writes it anew; until then names stay as they are
    }
    next = build_vips(*std::move(table), naming);
  }
  pending_.vip_services.merge(changed_services(vips_.get(), next.get()));
  vips_ = std::move(next);
}

void MeshState::mark_zone_proxies() {
  pending_.zone_proxies = true;
  zone_dirty_ = true;
  reach_dirty_ = true;
  gateways_dirty_ = true;
}

void MeshState::re_resolve(const std::string& host, const GlobalState& global) {
  for (const auto& [dataplane, state] : std::map(dataplanes_)) {
    auto hosts = hosts_of(*state->resource);
    if (std::ranges::find(hosts, host) == hosts.end()) {
      continue;
    }
    model::ResourcePtr resource = state->resource;
    set_dataplane(dataplane, nullptr, global);
    set_dataplane(dataplane, resource, global);
  }
}

void MeshState::mark_committed(const model::Change& change) {
  sequence_ = std::max(sequence_, change.sequence);
  if (pending_.committed_at == MonotonicTime{} || change.committed_at < pending_.committed_at) {
    pending_.committed_at = change.committed_at;
  }
}

bool MeshState::empty() const {
  return mesh_ == nullptr && dataplanes_.empty() && issued_backends_.empty() && secrets_.empty() && vips_ == nullptr &&
         std::ranges::all_of(policies_, [](const auto& entry) { return entry.second->empty(); });
}

void MeshState::add_hosts(std::set<std::string>& hosts) const {
  for (const auto& [name, state] : dataplanes_) {
    for (std::string& host : hosts_of(*state->resource)) {
      hosts.insert(std::move(host));
    }
  }
}

MeshState MeshState::outline() const {
  MeshState copy(name_);
  copy.is_outline_ = true;
  copy.mesh_ = mesh_;
  copy.trust_ = trust_;
  copy.secrets_ = secrets_;
  copy.gateways_ = gateways_;
  copy.gateways_through_egress_ = gateways_through_egress_;
  copy.view_ = view_;
  return copy;
}

void MeshState::add_member(const std::string& dataplane, const DataplaneStatePtr& state) {
  for (const std::string& service : state->services) {
    Members& members = members_[service];
    members.dataplanes.emplace(dataplane, state);
    members.ready += has_certificate(dataplane) ? 1 : 0;
    dirty_services_.insert(service);
  }
}

void MeshState::remove_member(const std::string& dataplane, const DataplaneStatePtr& state) {
  for (const std::string& service : state->services) {
    auto members = members_.find(service);
    members->second.ready -= has_certificate(dataplane) ? 1 : 0;
    members->second.dataplanes.erase(dataplane);
    if (members->second.dataplanes.empty()) {
      members_.erase(members);
    }
    dirty_services_.insert(service);
  }
}

bool MeshState::has_certificate(const std::string& dataplane) const {
  auto found = issued_backends_.find(dataplane);
  return trust_ != nullptr && found != issued_backends_.end() && found->second == trust_->backend;
}

void MeshState::recount_ready() {
  for (auto& [service, members] : members_) {
    members.ready = 0;
    for (const auto& [dataplane, state] : members.dataplanes) {
      members.ready += has_certificate(dataplane) ? 1 : 0;
    }
    dirty_services_.insert(service);
  }
}

void MeshState::mark_differences(const ZoneEndpoints::ByService& before, const ZoneEndpoints::ByService& after) {
  for (const auto& [service, endpoints] : before) {
    auto found = after.find(service);
    if (found == after.end() || !same_endpoints(endpoints, found->second)) {
      dirty_services_.insert(service);
    }
  }
  for (const auto& [service, endpoints] : after) {
    if (!before.contains(service)) {
      dirty_services_.insert(service);
    }
  }
}

ZoneInputs MeshState::zone_inputs(const GlobalState& global) const {
  static const ResourceList kNone;
  auto external = policies_.find("ExternalService");
  return {.mesh = name_,
          .local_zone = global.options->zone,
          .mtls = mtls_,
          .zone_egress = zone_egress_,
          .ingresses = global.usable_ingresses,
          .egresses = global.usable_egresses,
          .external_services = external == policies_.end() ? kNone : *external->second};
}

void MeshState::refresh_zone_endpoints(const GlobalState& global) {
  zone_dirty_ = false;
  ZoneEndpoints next = build_zone_endpoints(zone_inputs(global));
  mark_differences(zone_endpoints_.remote, next.remote);
  mark_differences(zone_endpoints_.through_egress, next.through_egress);
  mark_differences(zone_endpoints_.direct, next.direct);
  zone_endpoints_ = std::move(next);
  if (zone_endpoints_.local_weight == local_weight_) {
    return;
  }
  local_weight_ = zone_endpoints_.local_weight;
  auto resolver = [&global](const std::string& host) { return global.resolve(host); };
  for (auto& [dataplane, state] : dataplanes_) {
    remove_member(dataplane, state);
    state = std::make_shared<const DataplaneState>(build_dataplane(state->resource, resolver, local_weight_));
    add_member(dataplane, state);
  }
}

ServicePtr MeshState::build_service(const std::string& service) const {
  auto next = std::make_shared<Service>();
  next->name = service;
  append(next->endpoints, zone_endpoints_.remote, service);
  auto members = members_.find(service);
  bool known = members != members_.end();
  if (known) {
    for (const auto& [dataplane, state] : members->second.dataplanes) {
      for (const auto& [of_service, endpoint] : state->ready) {
        if (of_service == service) {
          next->endpoints.push_back(endpoint);
        }
      }
    }
  }
  append(next->endpoints, zone_endpoints_.through_egress, service);
  append(next->direct, zone_endpoints_.direct, service);
  if (!known && next->endpoints.empty() && next->direct.empty()) {
    return nullptr;
  }
  std::optional<Protocol> folded;
  for (const auto* list : {&next->endpoints, &next->direct}) {
    for (const EndpointPtr& endpoint : *list) {
      Protocol protocol = parse_protocol(tag(endpoint->tags, kProtocolTag));
      folded = folded ? common_protocol(*folded, protocol) : protocol;
    }
  }
  next->protocol = folded.value_or(Protocol::Unknown);
  next->external = next->endpoints.empty() ? !next->direct.empty() : next->endpoints.front()->external;
  next->tls_ready = permissive_ && (next->external || (known && members->second.ready == members->second.dataplanes.size()));
  return next;
}

void MeshState::publish_dataplanes(MeshView& next, MeshChange& change) {
  for (const std::string& dataplane : dirty_dataplanes_) {
    model::ResourceKey key{name_, dataplane};
    auto state = dataplanes_.find(dataplane);
    DataplanePtr after = state == dataplanes_.end() ? nullptr : state->second->view;
    auto before = next.dataplanes.find(key);
    bool had = before != next.dataplanes.end();
    reach_dirty_ = reach_dirty_ || had != (after != nullptr) || (had && before->second->tag_sets != after->tag_sets);
    if (after == nullptr) {
      if (had) {
        next.dataplanes.erase(key);
        change.dataplanes.insert(std::move(key));
      }
    } else if (!had || !same_spec(*before->second->resource, *after->resource)) {
      next.dataplanes.set(key, after);
      change.dataplanes.insert(std::move(key));
    }
  }
  dirty_dataplanes_.clear();
}

void MeshState::publish_services(MeshView& next, MeshChange& change) {
  for (const std::string& service : dirty_services_) {
    ServicePtr after = build_service(service);
    auto before = next.services.find(service);
    bool had = before != next.services.end();
    if (after == nullptr) {
      if (had) {
        next.services.erase(service);
        change.services.insert(service);
      }
    } else if (!had || !same_service(*before->second, *after)) {
      next.services.set(service, std::move(after));
      change.services.insert(service);
    }
  }
  dirty_services_.clear();
}

void MeshState::publish_reach(MeshView& next, MeshChange& change, const GlobalState& global) {
  if (!global.options->auto_reachable || !reach_dirty_) {
    return;
  }
  reach_dirty_ = false;
  static const ResourceList kNone;
  auto external = policies_.find("ExternalService");
  auto tags = build_reach_tags(next.dataplanes, name_, global.zone_ingresses,
                               external == policies_.end() ? kNone : *external->second);
  if (next.reach_tags == nullptr || *next.reach_tags != *tags) {
    next.reach_tags = std::move(tags);
    change.reach = true;
  }
}

std::optional<MeshUpdate> MeshState::publish(const GlobalState& global) {
  if (mesh_ == nullptr) {
    // What is left of a deleted mesh stays marked for the day the mesh comes (back).
    if (view_ == nullptr) {
      return std::nullopt;
    }
    MeshUpdate gone{.previous = view_, .view = nullptr, .change = {}};
    gone.change.mesh = true;
    gone.change.committed_at = pending_.committed_at;
    view_ = nullptr;
    for (const auto& [dataplane, state] : dataplanes_) {
      dirty_dataplanes_.insert(dataplane);
    }
    for (const auto& [service, members] : members_) {
      dirty_services_.insert(service);
    }
    zone_endpoints_ = {};  // so that all of it is a difference again
    zone_dirty_ = true;
    reach_dirty_ = true;
    pending_ = {};
    return gone;
  }
  if (zone_dirty_) {
    refresh_zone_endpoints(global);
  }
  auto next = view_ == nullptr ? std::make_shared<MeshView>() : std::make_shared<MeshView>(*view_);
  MeshChange change = std::move(pending_);
  pending_ = {};
  publish_dataplanes(*next, change);
  publish_services(*next, change);
  publish_reach(*next, change, global);
  bool differs = view_ == nullptr || change.mesh || change.reach || change.zone_proxies || !change.dataplanes.empty() ||
                 !change.services.empty() || !change.policies.empty() || !change.secrets.empty() ||
                 !change.other_meshes.empty() || !change.vip_services.empty();
  if (!differs) {
    return std::nullopt;
  }
  next->name = name_;
  next->zone = global.options->zone;
  next->sequence = sequence_;
  next->mesh = mesh_;
  next->trust = trust_;
  next->policies = policies_;
  next->secrets = secrets_;
  next->other_meshes = other_meshes_;
  next->vips = vips_;
  next->zone_ingresses = global.usable_ingresses;
  next->zone_egresses = global.usable_egresses;
  MeshUpdate update{.previous = view_, .view = next, .change = std::move(change)};
  view_ = std::move(next);
  return update;
}

}  // namespace kuma::mesh
