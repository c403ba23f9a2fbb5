#include "xds/server/session.h"

#include <algorithm>

#include "xds/server/response.h"

namespace kuma::xds {
namespace {

constexpr std::array kTypesInOrder = {XdsType::Cluster, XdsType::Endpoint, XdsType::Listener,
                                      XdsType::Route,   XdsType::Secret,   XdsType::Runtime};

// Types whose responses name the whole state: what is not in them is gone.
bool is_whole_state(XdsType type) { return type == XdsType::Cluster || type == XdsType::Listener; }

}  // namespace

AdsSession::AdsSession(Options options, const Clock& clock) : options_(std::move(options)), clock_(clock) {}

bool AdsSession::wants(const TypeState& state, std::string_view name) const {
  return state.wildcard || state.names.contains(name);
}

bool AdsSession::on_confirmation(XdsType type, const std::string& nonce, const google::rpc::Status* error) {
  TypeState& state = state_of(type);
  if (nonce.empty()) {
    return true;
  }
  if (nonce != state.nonce) {
    return state.nonce.empty();  // answers something older: the current response is still on its way
  }
  if (error != nullptr) {
    events_.push_back({Event::Kind::Rejected, type, error->message()});
    if (state.in_flight) {
      reject(type, error->message());
    }
    return true;
  }
  if (state.in_flight) {
    events_.push_back({Event::Kind::Acknowledged, type, ""});
    acknowledge(type);
  }
  return true;
}

void AdsSession::acknowledge(XdsType type) {
  TypeState& state = state_of(type);
  state.in_flight = false;
  state.rejected = false;
  state.acknowledged_nonce = state.nonce;
  if (state.whole) {
    state.held = std::move(state.bringing);
  } else {
    for (auto& [name, held] : state.bringing) {
      state.held[name] = std::move(held);
    }
    for (const std::string& name : state.removing) {
      state.held.erase(name);
    }
  }
  state.bringing.clear();
  state.removing.clear();
}

void AdsSession::reject(XdsType type, const std::string&) {
  TypeState& state = state_of(type);
  state.in_flight = false;
  state.rejected = true;
  state.rejected_version = snapshot_ == nullptr ? "" : snapshot_->of(type).version;
  state.retry_at = clock_.monotonic_now() + options_.nack_backoff;
  state.bringing.clear();
  state.removing.clear();
}

void AdsSession::on_request(const envoy::service::discovery::v3::DiscoveryRequest& request) {
  const XdsType* type = find_xds_type(request.type_url());
  if (type == nullptr) {
    return;  // held open and never answered
  }
  TypeState& state = state_of(*type);
  const std::string last_acknowledged = state.acknowledged_nonce;
  const bool was_in_flight = state.in_flight;
  if (!on_confirmation(*type, request.response_nonce(), request.has_error_detail() ? &request.error_detail() : nullptr)) {
    return;
  }
  std::set<std::string, std::less<>> names(request.resource_names().begin(), request.resource_names().end());
  const bool first = !state.subscribed;
  const bool same_names = names == state.names;
  // Once names were given, an empty list means none, not all.
  const bool wildcard = names.contains("*") || (names.empty() && (first || state.wildcard) && is_whole_state(*type));
  state.subscribed = true;
  state.wildcard = wildcard;
  if (first && snapshot_ != nullptr && !request.version_info().empty() && request.version_info() == snapshot_->of(*type).version) {
    // A proxy that comes back and already has just this.
    for (const WireResourcePtr& resource : snapshot_->of(*type).resources) {
      if (wildcard || names.contains(resource->name)) {
        state.held[resource->name] = {resource->version, resource};
      }
    }
  }
  if (!wildcard) {
    absl::erase_if(state.held, [&](const auto& entry) { return !names.contains(entry.first); });
    absl::erase_if(state.bringing, [&](const auto& entry) { return !names.contains(entry.first); });
  }
  // The same names with a nonce that was acknowledged before: Envoy asks anew, since a cluster of the same name is warming.
  const bool asks_again = !first && !was_in_flight && same_names && !request.has_error_detail() && !names.empty() &&
                          !request.response_nonce().empty() && request.response_nonce() == last_acknowledged;
  if (asks_again && *type == XdsType::Endpoint) {
    state.held.clear();
  }
  state.names = std::move(names);
  respond();
}

void AdsSession::on_request(const envoy::service::discovery::v3::DeltaDiscoveryRequest& request) {
  const XdsType* type = find_xds_type(request.type_url());
  if (type == nullptr) {
    return;
  }
  TypeState& state = state_of(*type);
  const bool first = !state.subscribed;
  // A stale nonce only means that this is no confirmation; the subscriptions in it count all the same.
  (void)on_confirmation(*type, request.response_nonce(), request.has_error_detail() ? &request.error_detail() : nullptr);
  if (first) {
    state.subscribed = true;
    state.wildcard = request.resource_names_subscribe().empty() && is_whole_state(*type);
    for (const auto& [name, version] : request.initial_resource_versions()) {
      state.held[name] = {version, nullptr};
    }
  }
  for (const std::string& name : request.resource_names_subscribe()) {
    if (name == "*") {
      state.wildcard = true;
    } else {
      state.names.insert(name);
      if (!first) {
        state.held.erase(name);  // subscribing again asks for it again
      }
    }
  }
  for (const std::string& name : request.resource_names_unsubscribe()) {
    if (name == "*") {
      state.wildcard = false;
    }
    state.names.erase(name);
    if (!state.wildcard) {
      state.held.erase(name);
      state.bringing.erase(name);
    }
  }
  respond();
}

void AdsSession::set_snapshot(SnapshotPtr snapshot, std::shared_ptr<void> propagation) {
  snapshot_ = std::move(snapshot);
  if (propagation != nullptr) {
    propagations_.push_back(std::move(propagation));
  }
  respond();
}

void AdsSession::on_timer() {
  for (TypeState& state : types_) {
    if (state.rejected && clock_.monotonic_now() >= state.retry_at) {
      state.rejected = false;
    }
  }
  respond();
}

std::optional<MonotonicTime> AdsSession::retry_at() const {
  std::optional<MonotonicTime> earliest;
  for (const TypeState& state : types_) {
    if (state.rejected && (!earliest || state.retry_at < *earliest)) {
      earliest = state.retry_at;
    }
  }
  return earliest;
}

AdsSession::Difference AdsSession::difference(XdsType type) const {
  Difference out;
  const TypeState& state = state_of(type);
  if (snapshot_ == nullptr || !state.subscribed) {
    return out;
  }
  const TypeSnapshot& wanted = snapshot_->of(type);
  for (const WireResourcePtr& resource : wanted.resources) {
    if (!wants(state, resource->name)) {
      continue;
    }
    const auto held = state.held.find(resource->name);
    if (held == state.held.end() || held->second.version != resource->version) {
      out.changed.push_back(resource);
    }
  }
  const bool incremental = options_.protocol == Protocol::Delta;
  if (!is_whole_state(type) && !incremental) {
    return out;  // what is gone is no longer asked for, once its cluster or listener is gone
  }
  for (const auto& [name, held] : state.held) {
    if (wanted.find(name) == nullptr) {
      out.removed.push_back(name);
      if (held.wire != nullptr) {
        out.kept.push_back(held.wire);
      }
    }
  }
  std::sort(out.removed.begin(), out.removed.end());
  return out;
}

bool AdsSession::is_up_to_date(XdsType type) const {
  const TypeState& state = state_of(type);
  if (!state.subscribed || snapshot_ == nullptr) {
    return true;
  }
  return !state.in_flight && (state.rejected || difference(type).changed.empty());
}

bool AdsSession::must_wait(XdsType type) const {
  switch (type) {
    case XdsType::Listener:
      return !is_up_to_date(XdsType::Cluster) || !is_up_to_date(XdsType::Endpoint);
    case XdsType::Route:
      return state_of(XdsType::Listener).in_flight;
    case XdsType::Cluster:
    // Envoy acknowledges a changed cluster once it is warm, and it is warm when it has its endpoints and secrets: these
    // follow the clusters at once, in order on the stream.
    case XdsType::Endpoint:
    case XdsType::Secret:
    case XdsType::Runtime:
      return false;
  }
  return false;
}

bool AdsSession::holds_back_removals(XdsType type) const {
  return type == XdsType::Cluster && state_of(XdsType::Listener).subscribed && !is_up_to_date(XdsType::Listener);
}

void AdsSession::respond() {
  if (snapshot_ == nullptr) {
    return;
  }
  for (const XdsType type : kTypesInOrder) {
    TypeState& state = state_of(type);
    if (!state.subscribed || state.in_flight) {
      continue;
    }
    if (state.rejected) {
      if (state.rejected_version == snapshot_->of(type).version) {
        continue;  // the same again: after the back-off
      }
      state.rejected = false;
    }
    Difference what = difference(type);
    const bool held_back = holds_back_removals(type);
    if (held_back) {
      what.removed.clear();
    } else {
      what.kept.clear();
    }
    if (what.empty() || must_wait(type)) {
      continue;
    }
    send(type, std::move(what));
  }
  settle();
}

void AdsSession::send(XdsType type, Difference what) {
  TypeState& state = state_of(type);
  const TypeSnapshot& wanted = snapshot_->of(type);
  const std::string nonce = std::to_string(++last_nonce_);
  if (type == XdsType::Cluster) {
    // Envoy lets a changed cluster wait until its endpoints come again, though they are the same.
    for (const WireResourcePtr& resource : what.changed) {
      state_of(XdsType::Endpoint).held.erase(resource->name);
    }
  }
  const auto bring = [&](const WireResourcePtr& resource) { state.bringing[resource->name] = {resource->version, resource}; };
  state.bringing.clear();
  if (options_.protocol == Protocol::Delta) {
    std::for_each(what.changed.begin(), what.changed.end(), bring);
    responses_.push_back(delta_response(type, wanted.version, nonce, options_.control_plane_id, what.changed, what.removed));
    state.whole = false;
    state.removing = std::move(what.removed);
  } else if (is_whole_state(type)) {
    std::vector<WireResourcePtr> all;
    for (const WireResourcePtr& resource : wanted.resources) {
      if (wants(state, resource->name)) {
        all.push_back(resource);
      }
    }
    all.insert(all.end(), what.kept.begin(), what.kept.end());
    std::for_each(all.begin(), all.end(), bring);
    responses_.push_back(response(type, wanted.version, nonce, options_.control_plane_id, all));
    state.whole = true;
    state.removing.clear();
  } else {
    std::for_each(what.changed.begin(), what.changed.end(), bring);
    responses_.push_back(response(type, wanted.version, nonce, options_.control_plane_id, what.changed));
    state.whole = false;
    state.removing.clear();
  }
  state.nonce = nonce;
  state.in_flight = true;
  events_.push_back({Event::Kind::Sent, type, ""});
}

bool AdsSession::is_settled() const {
  if (snapshot_ == nullptr) {
    return false;
  }
  for (const XdsType type : kTypesInOrder) {
    const TypeState& state = state_of(type);
    if (state.in_flight || (state.subscribed && !state.rejected && !difference(type).empty())) {
      return false;
    }
  }
  return state_of(XdsType::Cluster).subscribed && state_of(XdsType::Listener).subscribed;
}

void AdsSession::settle() {
  if (!propagations_.empty() && is_settled()) {
    propagations_.clear();
  }
}

std::vector<net::GrpcMessage> AdsSession::take_responses() { return std::exchange(responses_, {}); }

std::vector<AdsSession::Event> AdsSession::take_events() { return std::exchange(events_, {}); }

}  // namespace kuma::xds
