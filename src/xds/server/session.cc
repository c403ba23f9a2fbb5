#include "xds/server/session.h"

#include <algorithm>

#include "xds/server/response.h"

namespace kuma::xds {
namespace {

constexpr std::array kTypesInOrder = {XdsType::Cluster, XdsType::Endpoint, XdsType::Listener,
                                      XdsType::Route,   XdsType::Secret,   XdsType::Runtime};

// Types whose responses name the whole state: what is not in them is gone.
bool is_whole_state(XdsType type) { return type == XdsType::Cluster || type == XdsType::Listener; }

struct ByName {
  bool operator()(const WireResourcePtr& resource, std::string_view name) const { return resource->name < name; }
};

void erase_named(std::vector<WireResourcePtr>& resources, std::string_view name) {
  const auto found = std::lower_bound(resources.begin(), resources.end(), name, ByName());
  if (found != resources.end() && (*found)->name == name) {
    resources.erase(found);
  }
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::binary_search(names.begin(), names.end(), name);
}

template <typename Texts>
std::vector<std::string> sorted_names(const Texts& texts) {
  std::vector<std::string> names(texts.begin(), texts.end());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

bool same(const std::vector<WireResourcePtr>& a, const std::vector<WireResourcePtr>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const WireResourcePtr& x, const WireResourcePtr& y) {
    return x == y || (x->name == y->name && x->version == y->version);
  });
}

// `old`, with what is new in the place of what has its name. Both in order of name.
std::vector<WireResourcePtr> merged(const std::vector<WireResourcePtr>& old, const std::vector<WireResourcePtr>& fresh) {
  std::vector<WireResourcePtr> all;
  all.reserve(old.size() + fresh.size());
  std::set_union(fresh.begin(), fresh.end(), old.begin(), old.end(), std::back_inserter(all),
                 [](const WireResourcePtr& a, const WireResourcePtr& b) { return a->name < b->name; });
  return all;
}

}  // namespace

AdsSession::AdsSession(Options options, const Clock& clock) : options_(std::move(options)), clock_(clock) {}

// ---------------------------------------------------------------- requests

bool AdsSession::on_confirmation(XdsType type, const std::string& nonce, const google::rpc::Status* error) {
  TypeState& state = state_of(type);
  if (nonce.empty() || state.nonce.empty()) {
    return true;  // a first request, maybe with a nonce of the stream before
  }
  if (nonce != state.nonce) {
    return false;  // answers something older: the current response is still on its way
  }
  if (!state.in_flight) {
    return true;
  }
  if (error != nullptr) {
    events_.push_back({Event::Kind::Rejected, type, error->message()});
    reject(state);
  } else {
    events_.push_back({Event::Kind::Acknowledged, type, ""});
    acknowledge(state);
  }
  return true;
}

void AdsSession::acknowledge(TypeState& state) {
  state.in_flight = false;
  state.rejected = false;
  state.acknowledged_nonce = state.nonce;
  if (state.whole) {
    state.held = std::move(state.bringing);
    state.has_more = false;
  } else {
    state.held = merged(state.held, state.bringing);
    for (const std::string& name : state.removing) {
      erase_named(state.held, name);
    }
  }
  state.bringing.clear();
  state.removing.clear();
  state.refused.clear();
  state.refused_removals.clear();
}

void AdsSession::reject(TypeState& state) {
  state.in_flight = false;
  state.rejected = true;
  state.retry_at = clock_.monotonic_now() + options_.nack_backoff;
  state.refused = std::exchange(state.bringing, {});
  state.refused_removals = std::exchange(state.removing, {});
}

void AdsSession::on_request(const envoy::service::discovery::v3::DiscoveryRequest& request) {
  const XdsType* type = find_xds_type(request.type_url());
  if (type == nullptr) {
    return;
  }
  TypeState& state = state_of(*type);
  const std::string last_acknowledged = state.acknowledged_nonce;
  const bool was_in_flight = state.in_flight;
  if (!on_confirmation(*type, request.response_nonce(), request.has_error_detail() ? &request.error_detail() : nullptr)) {
    return;
  }
  Names names = sorted_names(request.resource_names());
  const bool first = !state.subscribed;
  const bool same_names = names == state.names;
  // Once names were given, an empty list means none, not all.
  state.wildcard = contains(names, "*") || (names.empty() && (first || state.wildcard) && is_whole_state(*type));
  state.subscribed = true;
  state.names = std::move(names);
  if (first && !request.version_info().empty()) {
    state.claim = Claim{request.version_info(), state.names, state.wildcard};
  }
  forget_unwanted(state);
  // The same names with a nonce that was acknowledged before: Envoy asks anew, since a cluster of the same name is warming.
  const bool asks_again = !first && !was_in_flight && same_names && !request.has_error_detail() && !state.names.empty() &&
                          !request.response_nonce().empty() && request.response_nonce() == last_acknowledged;
  if (asks_again && *type == XdsType::Endpoint) {
    state.held.clear();
  }
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
      state.held.push_back(std::make_shared<const WireResource>(WireResource{*type, name, version, nullptr}));
    }
    std::sort(state.held.begin(), state.held.end(), [](const auto& a, const auto& b) { return a->name < b->name; });
    if (*type == XdsType::Endpoint) {
      // The clusters that are on their way will wait for their endpoints, though the proxy has these.
      for (const WireResourcePtr& cluster : state_of(XdsType::Cluster).bringing) {
        forget(*type, cluster->name);
      }
    }
  }
  for (const std::string& name : request.resource_names_subscribe()) {
    if (name == "*") {
      state.wildcard = true;
      continue;
    }
    if (const auto at = std::lower_bound(state.names.begin(), state.names.end(), name); at == state.names.end() || *at != name) {
      state.names.insert(at, name);
    }
    if (!first) {
      erase_named(state.held, name);  // subscribing again asks for it again
    }
  }
  for (const std::string& name : request.resource_names_unsubscribe()) {
    if (name == "*") {
      state.wildcard = false;
    } else if (const auto at = std::lower_bound(state.names.begin(), state.names.end(), name); at != state.names.end() && *at == name) {
      state.names.erase(at);
      // The proxy may have dropped it; what a wildcard still covers comes again.
      forget(*type, name);
    }
  }
  forget_unwanted(state);
  respond();
}

// The proxy has not got this resource, whatever it acknowledges.
void AdsSession::forget(XdsType type, std::string_view name) {
  erase_named(state_of(type).held, name);
  erase_named(state_of(type).bringing, name);
}

void AdsSession::forget_unwanted(TypeState& state) {
  if (!state.wildcard) {
    const auto is_unwanted = [&](const WireResourcePtr& resource) { return !contains(state.names, resource->name); };
    std::erase_if(state.held, is_unwanted);
    std::erase_if(state.bringing, is_unwanted);
  }
}

// ---------------------------------------------------------------- what to send

void AdsSession::set_snapshot(SnapshotPtr snapshot, std::vector<PropagationPtr> propagations) {
  snapshot_ = std::move(snapshot);
  std::move(propagations.begin(), propagations.end(), std::back_inserter(propagations_));
  propagations_.resize(std::min(propagations_.size(), kPropagationsMax));
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

AdsSession::Resources AdsSession::wanted(XdsType type, bool wildcard, const Names& names) const {
  const Resources& all = snapshot_->of(type).resources;
  if (wildcard) {
    return all;
  }
  Resources out;
  auto name = names.begin();
  for (const WireResourcePtr& resource : all) {
    while (name != names.end() && *name < resource->name) {
      ++name;
    }
    if (name != names.end() && *name == resource->name) {
      out.push_back(resource);
    }
  }
  return out;
}

// Of resources that are wanted; mostly it is all there are.
std::string AdsSession::version_of(XdsType type, const Resources& resources) const {
  const TypeSnapshot& all = snapshot_->of(type);
  return resources == all.resources ? all.version : make_version(resources);
}

AdsSession::Difference AdsSession::difference(XdsType type) const {
  Difference out;
  const TypeState& state = state_of(type);
  if (snapshot_ == nullptr || !state.subscribed) {
    return out;
  }
  // What is gone from a type that responses don't name as a whole is no longer asked for once its cluster or listener is gone.
  const bool has_removals = is_whole_state(type) || options_.protocol == Protocol::Delta;
  const auto gone = [&](const WireResourcePtr& resource) {
    if (has_removals) {
      out.removed.push_back(resource->name);
      if (resource->any != nullptr) {
        out.kept.push_back(resource);
      }
    }
  };
  const Resources named = state.wildcard ? Resources() : wanted(type, false, state.names);
  auto held = state.held.begin();
  for (const WireResourcePtr& resource : state.wildcard ? snapshot_->of(type).resources : named) {
    while (held != state.held.end() && (*held)->name < resource->name) {
      gone(*held++);
    }
    const bool has = held != state.held.end() && (*held)->name == resource->name;
    if (!has || (*held != resource && (*held)->version != resource->version)) {
      out.changed.push_back(resource);
    }
    held += has ? 1 : 0;
  }
  std::for_each(held, state.held.end(), gone);
  return out;
}

bool AdsSession::is_up_to_date(XdsType type) const {
  const TypeState& state = state_of(type);
  return !state.in_flight && (!state.subscribed || state.rejected || difference(type).changed.empty());
}

bool AdsSession::must_wait(XdsType type) const {
  switch (type) {
    case XdsType::Listener:
      return !is_up_to_date(XdsType::Cluster) || !is_up_to_date(XdsType::Endpoint);
    case XdsType::Route:
      return !is_up_to_date(XdsType::Cluster) || !is_up_to_date(XdsType::Endpoint) || state_of(XdsType::Listener).in_flight;
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

// Clusters stay while the proxy has listeners or routes that may refer to them.
bool AdsSession::holds_back_removals() const {
  for (const XdsType type : {XdsType::Listener, XdsType::Route}) {
    const TypeState& state = state_of(type);
    if (state.in_flight || state.rejected || !difference(type).empty()) {
      return true;
    }
  }
  return false;
}

// What a proxy said that it has counts if it is just what it would be sent now.
void AdsSession::check_claim(XdsType type) {
  TypeState& state = state_of(type);
  const Claim claim = *std::exchange(state.claim, std::nullopt);
  Resources claimed = wanted(type, claim.wildcard, claim.names);
  if (version_of(type, claimed) != claim.version) {
    state.has_more = is_whole_state(type);
    return;
  }
  state.held = std::move(claimed);
  forget_unwanted(state);
  if (type == XdsType::Endpoint) {
    for (const WireResourcePtr& cluster : state_of(XdsType::Cluster).bringing) {
      forget(type, cluster->name);
    }
  }
}

void AdsSession::respond() {
  if (snapshot_ == nullptr) {
    return;
  }
  for (const XdsType type : kTypesInOrder) {
    respond(type);
  }
  settle();
}

void AdsSession::respond(XdsType type) {
  TypeState& state = state_of(type);
  if (!state.subscribed || state.in_flight) {
    return;
  }
  if (state.claim) {
    check_claim(type);
  }
  Difference what = difference(type);
  if (!what.removed.empty() && type == XdsType::Cluster && holds_back_removals()) {
    what.removed.clear();
  } else {
    what.kept.clear();
  }
  if ((what.empty() && !state.has_more) || must_wait(type)) {
    return;
  }
  const bool whole = is_whole_state(type) && options_.protocol == Protocol::StateOfTheWorld;
  Resources resources = whole ? merged(what.kept, wanted(type, state.wildcard, state.names)) : what.changed;
  if (state.rejected && same(resources, state.refused) && (whole || what.removed == state.refused_removals)) {
    return;  // the same again: after the back-off
  }
  send(type, what, std::move(resources));
}

void AdsSession::send(XdsType type, const Difference& what, Resources resources) {
  TypeState& state = state_of(type);
  const std::string nonce = std::to_string(++last_nonce_);
  if (type == XdsType::Cluster) {
    // Envoy lets a changed cluster wait until its endpoints come again, though they are the same.
    for (const WireResourcePtr& resource : what.changed) {
      forget(XdsType::Endpoint, resource->name);
    }
  }
  if (options_.protocol == Protocol::Delta) {
    responses_.push_back(delta_response(type, snapshot_->of(type).version, nonce, options_.control_plane_id, resources, what.removed));
    state.whole = false;
    state.removing = what.removed;
  } else {
    state.whole = is_whole_state(type);
    // Names what the proxy has with this response, for when it comes back.
    const std::string version = version_of(type, state.whole ? resources : wanted(type, state.wildcard, state.names));
    responses_.push_back(response(type, version, nonce, options_.control_plane_id, resources));
    state.removing.clear();
  }
  state.bringing = std::move(resources);
  state.nonce = nonce;
  state.in_flight = true;
  state.rejected = false;
  events_.push_back({Event::Kind::Sent, type, ""});
}

// ---------------------------------------------------------------- the end of a change

bool AdsSession::is_idle() const {
  // What could be sent has been sent, and all that waits, waits for an answer.
  return snapshot_ != nullptr && std::none_of(types_.begin(), types_.end(), [](const TypeState& state) { return state.in_flight; });
}

bool AdsSession::is_settled() const {
  return is_idle() && state_of(XdsType::Cluster).subscribed && state_of(XdsType::Listener).subscribed;
}

void AdsSession::settle() {
  if (propagations_.empty() || !is_settled()) {
    return;
  }
  const bool refused = std::any_of(types_.begin(), types_.end(), [](const TypeState& state) { return state.rejected; });
  if (!refused) {
    const MonotonicTime now = clock_.monotonic_now();
    for (const PropagationPtr& propagation : propagations_) {
      propagation->acknowledged(now);
    }
  }
  propagations_.clear();
}

std::vector<net::GrpcMessage> AdsSession::take_responses() { return std::exchange(responses_, {}); }

std::vector<AdsSession::Event> AdsSession::take_events() { return std::exchange(events_, {}); }

}  // namespace kuma::xds
