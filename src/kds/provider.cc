#include "kds/provider.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"

namespace kuma::kds {
namespace {

constexpr size_t kTypesMax = 200;       // that a peer may ask for, known here or not
constexpr size_t kFrameSize = 64 * 1024;  // of a message's limit kept for what is around its resources
constexpr size_t kResourceFrame = 160;    // version, type URL and lengths around a resource
// A part of a larger set: soon applied and acknowledged, so that the peer is never busy for long.
constexpr size_t kPartSize = 2 * 1024 * 1024;

size_t size_of(const Offer& offer) { return offer.bytes->size() + kResourceFrame; }

}  // namespace

Provider::Provider(const model::Registry& registry, Catalog& catalog, Options options, const Clock& clock, std::function<void()> on_ready)
    : registry_(registry), catalog_(catalog), options_(std::move(options)), clock_(clock), on_ready_(std::move(on_ready)) {
  peer_.zone = options_.peer_zone;
  listener_ = catalog_.add_listener([this](const model::ResourceType& type, const std::string& key) {
    const auto state = types_.find(std::string(type.name));
    if (state == types_.end() || !state->second.subscribed) {
      return;
    }
    const bool idle = state->second.touched.empty();
    state->second.touched.insert(key);
    if (idle) {
      on_ready_();
    }
  });
}

Provider::~Provider() { catalog_.remove_listener(listener_); }

absl::Status Provider::on_request(const Request& request) {
  if (request.type.empty()) {
    return absl::InvalidArgumentError("type URL is required for ADS");
  }
  if (!node_) {
    node_ = request.node.value_or(NodeInfo{});
    peer_.features = node_->features;
  }
  const auto [found, is_new] = types_.try_emplace(request.type);
  if (is_new && types_.size() > kTypesMax) {
    return absl::ResourceExhaustedError(fmt::format("the peer asks for more than {} types", kTypesMax));
  }
  TypeState& state = found->second;
  if (is_new) {
    const model::ResourceType* type = registry_.find(request.type);
    const auto& types = catalog_.types();
    state.type = std::find(types.begin(), types.end(), type) != types.end() ? type : nullptr;
    if (state.type == nullptr) {
      make_logger("kds")->info("the peer \"{}\" asks for {}, which it does not get from here: answered as empty", node_->id, request.type);
    }
  }
  if (request.nonce.empty()) {
    subscribe(state, request);
  } else {
    answer(state, request);
  }
  return absl::OkStatus();
}

void Provider::subscribe(TypeState& state, const Request& request) {
  state.subscribed = request.wildcard;
  if (state.first_sent || state.in_flight || !state.subscribed) {
    return;  // asked again: whatever is owed is on its way
  }
  state.told = !request.known.empty() || peer_.features.contains(kFeatureSplit);
  state.known = request.known;
  for (const auto& [key, version] : state.known) {
    state.touched.insert(key);
  }
  if (state.type != nullptr) {
    for (std::string& key : catalog_.keys(*state.type)) {
      state.touched.insert(std::move(key));
    }
  }
}

void Provider::answer(TypeState& state, const Request& request) {
  if (!state.in_flight || state.in_flight->nonce != request.nonce) {
    return;  // of a response that no longer counts
  }
  InFlight sent = *std::exchange(state.in_flight, std::nullopt);
  events_.push_back({request.error ? Event::Kind::Rejected : Event::Kind::Acknowledged, request.type, request.error.value_or(""), clock_.monotonic_now() - sent.since});
  if (request.error) {
    state.not_before = std::max(state.not_before, clock_.monotonic_now() + options_.nack_backoff);
    state.first_sent = state.first_sent && !sent.first;
    state.version_info.clear();
    for (auto& [key, version] : sent.versions) {
      state.touched.insert(key);
    }
    return;
  }
  for (auto& [key, version] : sent.versions) {
    if (version.empty()) {
      state.known.erase(key);
    } else {
      state.known[key] = std::move(version);
    }
  }
}

std::chrono::nanoseconds Provider::interval_of(const std::string& type) const {
  if (type == "ServiceInsight") {
    return options_.service_insight_interval;
  }
  if (type.ends_with("Insight")) {
    return options_.insight_interval;
  }
  return options_.protocol == Protocol::Delta ? std::chrono::nanoseconds(0) : options_.interval_min;
}

bool Provider::is_due(const TypeState& state, MonotonicTime now) const {
  return state.subscribed && !state.in_flight && (!state.first_sent || !state.touched.empty()) && now >= state.not_before;
}

std::vector<Response> Provider::take_responses() {
  std::vector<Response> out;
  const MonotonicTime now = clock_.monotonic_now();
  for (auto& [name, state] : types_) {
    if (!is_due(state, now)) {
      continue;
    }
    if (options_.protocol == Protocol::Delta) {
      take_delta(state, name, out);
    } else {
      take_sotw(state, name, out);
    }
  }
  return out;
}

bool Provider::fits(const Offer& offer) const { return size_of(offer) + kFrameSize <= options_.message_size_max; }

void Provider::refuse(TypeState& state, std::string what) {
  if (!state.refused.insert(what).second) {
    return;
  }
  std::string error = fmt::format("{} is not sent: a message may have {} bytes; raise the limit (KUMA_MULTIZONE_GLOBAL_KDS_MAX_MSG_SIZE, KUMA_MULTIZONE_ZONE_KDS_MAX_MSG_SIZE) on both sides", what, options_.message_size_max);
  make_logger("kds")->error("to the peer \"{}\": {}", node_->id, error);
  events_.push_back({Event::Kind::LeftOut, state.type == nullptr ? "" : std::string(state.type->name), std::move(error), {}});
}

void Provider::take_delta(TypeState& state, const std::string& name, std::vector<Response>& out) {
  Response response{.type = name};
  InFlight sent;
  size_t size = 0;
  // A peer that takes its first response for all there is must get it whole.
  const bool whole = !state.first_sent && !state.told;
  const size_t size_max = whole ? options_.message_size_max - kFrameSize : std::min(kPartSize, options_.message_size_max - kFrameSize);
  std::set<std::string> rest;
  for (auto touched = state.touched.begin(); touched != state.touched.end(); ++touched) {
    const Offer* offer = state.type == nullptr ? nullptr : catalog_.find(*state.type, *touched, peer_);
    const auto known = state.known.find(*touched);
    if (offer == nullptr) {
      if (known != state.known.end()) {
        response.removed.push_back(*touched);
        sent.versions.emplace(*touched, "");
        size += touched->size() + 8;
      }
    } else if (known != state.known.end() && known->second == offer->version) {
      continue;
    } else if (!fits(*offer)) {
      refuse(state, model::describe(*state.type, offer->key));
    } else if (size > 0 && size + size_of(*offer) > size_max) {
      if (whole) {
        refuse(state, fmt::format("the type {}", name));
        state.subscribed = false;
        return;
      }
      rest.insert(touched, state.touched.end());
      break;
    } else {
      response.offers.push_back(offer);
      sent.versions.emplace(*touched, offer->version);
      size += size_of(*offer);
    }
  }
  state.touched = std::move(rest);
  if (state.first_sent && sent.versions.empty()) {
    return;
  }
  state.in_flight = std::move(sent);
  send(state, std::move(response), out);
}

void Provider::take_sotw(TypeState& state, const std::string& name, std::vector<Response>& out) {
  Response response{.type = name};
  std::string versions;
  size_t size = 0;
  const Offer* largest = nullptr;
  for (const std::string& key : state.type == nullptr ? std::vector<std::string>() : catalog_.keys(*state.type)) {
    const Offer* offer = catalog_.find(*state.type, key, peer_);
    if (offer == nullptr) {
      continue;
    }
    size += size_of(*offer);
    largest = largest == nullptr || size_of(*offer) > size_of(*largest) ? offer : largest;
    response.offers.push_back(offer);
    versions += offer->version;
  }
  state.touched.clear();
  if (size + kFrameSize > options_.message_size_max) {
    refuse(state, fmt::format("the type {}, the largest of which is {},", name, model::describe(*state.type, largest->key)));
    state.first_sent = true;
    return;
  }
  response.version_info = sha256_hex(versions);
  if (state.first_sent && response.version_info == state.version_info) {
    return;
  }
  state.version_info = response.version_info;
  // Made owed again by a NACK.
  state.in_flight = InFlight{.nonce = {}, .versions = {{"*", ""}}};
  send(state, std::move(response), out);
}

void Provider::send(TypeState& state, Response response, std::vector<Response>& out) {
  response.nonce = fmt::format("{}", ++last_nonce_);
  response.identifier = options_.identifier;
  state.in_flight->nonce = response.nonce;
  state.in_flight->first = !state.first_sent;
  if (state.first_sent || options_.protocol == Protocol::StateOfTheWorld) {
    state.not_before = clock_.monotonic_now() + interval_of(response.type);
  }
  state.in_flight->since = clock_.monotonic_now();
  state.first_sent = true;
  events_.push_back({Event::Kind::Sent, response.type, "", {}});
  out.push_back(std::move(response));
}

std::vector<Provider::Event> Provider::take_events() { return std::exchange(events_, {}); }

std::optional<MonotonicTime> Provider::wake_at() const {
  std::optional<MonotonicTime> at;
  const auto wake = [&at](MonotonicTime time) { at = at ? std::min(*at, time) : time; };
  for (const auto& [name, state] : types_) {
    if (state.in_flight) {
      wake(state.in_flight->since + options_.answer_timeout);
    } else if (state.subscribed && (!state.first_sent || !state.touched.empty())) {
      wake(state.not_before);
    }
  }
  return at;
}

absl::Status Provider::check_progress() const {
  const MonotonicTime now = clock_.monotonic_now();
  for (const auto& [name, state] : types_) {
    if (state.in_flight && now - state.in_flight->since >= options_.answer_timeout) {
      return absl::DeadlineExceededError(fmt::format("no answer to response {} of type {} for {}", state.in_flight->nonce, name,
                                                     format_go_duration(now - state.in_flight->since)));
    }
  }
  return absl::OkStatus();
}

std::string Provider::largest_under_way() const {
  const Offer* largest = nullptr;
  const model::ResourceType* type = nullptr;
  const auto consider = [&](const model::ResourceType& of, const std::string& key) {
    const Offer* offer = catalog_.find(of, key, peer_);
    if (offer != nullptr && (largest == nullptr || offer->bytes->size() > largest->bytes->size())) {
      largest = offer;
      type = &of;
    }
  };
  for (const auto& [name, state] : types_) {
    if (state.type == nullptr || !state.in_flight) {
      continue;
    }
    if (options_.protocol == Protocol::StateOfTheWorld) {  // a response is all of the type
      for (const std::string& key : catalog_.keys(*state.type)) {
        consider(*state.type, key);
      }
    }
    for (const auto& [key, version] : state.in_flight->versions) {
      consider(*state.type, key);
    }
  }
  return largest == nullptr ? "" : fmt::format("{} of {} bytes", model::describe(*type, largest->key), largest->bytes->size());
}

bool Provider::is_settled() const {
  return std::all_of(types_.begin(), types_.end(), [](const auto& one) {
    const TypeState& state = one.second;
    return !state.in_flight && (!state.subscribed || (state.first_sent && state.touched.empty()));
  });
}

}  // namespace kuma::kds
