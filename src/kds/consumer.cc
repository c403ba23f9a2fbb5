#include "kds/consumer.h"

#include "base/log.h"
#include "base/status.h"
#include "kds/wire.h"
#include "mesh/v1alpha1/kds.pb.h"

namespace kuma::kds {
namespace {

// The name of a resource whose spec can't be read.
std::optional<model::ResourceKey> key_of(const google::protobuf::Any& any) {
  mesh::v1alpha1::KumaResource resource;
  if (!resource.ParseFromString(any.value()) || resource.meta().name().empty()) {
    return std::nullopt;
  }
  return model::ResourceKey{resource.meta().mesh(), resource.meta().name()};
}

}  // namespace

Consumer::Consumer(std::vector<const model::ResourceType*> types, Options options) : options_(std::move(options)) {
  for (const model::ResourceType* type : types) {
    types_[std::string(type->name)].type = type;
  }
}

std::vector<Request> Consumer::start(KnownVersions known) {
  std::vector<Request> requests;
  NodeInfo node = options_.node;
  if (options_.protocol == Protocol::Delta && std::all_of(types_.begin(), types_.end(), [&known](const auto& one) { return known.contains(one.first); })) {
    node.features.insert(std::string(kFeatureSplit));
  }
  for (auto& [name, state] : types_) {
    Request request{.type = name, .node = node};
    if (!requests.empty()) {
      request.node->config.clear();  // peers read it from the first request
    }
    if (const auto versions = known.find(name); versions != known.end() && options_.protocol == Protocol::Delta) {
      state.known = std::move(versions->second);
      request.known = *state.known;
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

// A peer that was told what we have sends the difference. One that did not listen shows by sending what we have already.
bool Consumer::is_full(const TypeState& state, const ReceivedResponse& response) const {
  if (options_.protocol == Protocol::StateOfTheWorld) {
    return true;
  }
  if (state.stored_any) {
    return false;
  }
  if (!state.known) {
    return true;
  }
  for (const ReceivedResource& resource : response.resources) {
    const auto key = key_of(resource.any);
    const auto known = key ? state.known->find(to_wire_key(*key)) : state.known->end();
    if (known != state.known->end() && known->second == resource.version) {
      return true;
    }
  }
  return false;
}

absl::Status Consumer::on_response(ReceivedResponse response, std::vector<Request>& answers) {
  has_received_ = true;
  const auto found = types_.find(response.type);
  if (found == types_.end()) {
    if (!std::exchange(said_unknown_, true)) {
      make_logger("kds")->warn("ignored: the peer sends resources of type \"{}\", which was not asked for", response.type);
    }
    answers.push_back(answer(response.type, response.nonce));
    return absl::OkStatus();
  }
  if (waiting_.size() >= types_.size()) {
    return absl::ResourceExhaustedError(fmt::format("the peer has {} responses without an answer; it may have one a type", waiting_.size() + 1));
  }
  const TypeState& state = found->second;
  Waiting next{.batch = {.type = state.type, .is_full = is_full(state, response)}, .nonce = response.nonce, .version_info = response.version_info, .problem = {}};
  for (const ReceivedResource& received : response.resources) {
    auto resource = decode_resource(*state.type, received.any);
    if (resource.ok()) {
      next.batch.resources.push_back(to_stored(options_.rules, *std::move(resource)));
      continue;
    }
    next.problem = message_of(resource.status());
    if (auto key = key_of(received.any)) {
      next.batch.kept.push_back(to_stored_key(options_.rules, *std::move(key)));
    }
  }
  for (const std::string& removed : response.removed) {
    next.batch.removed.push_back(to_stored_key(options_.rules, parse_wire_key(removed)));
  }
  waiting_.push_back(std::move(next));
  return absl::OkStatus();
}

std::optional<Batch> Consumer::take_batch() {
  if (storing_ || waiting_.empty()) {
    return std::nullopt;
  }
  storing_ = std::move(waiting_.front());
  waiting_.pop_front();
  TypeState& state = types_.at(std::string(storing_->batch.type->name));
  // Decided when it came; a NACKed first response leaves the next one as the first.
  if (options_.protocol == Protocol::Delta && state.stored_any) {
    storing_->batch.is_full = false;
  }
  return std::move(storing_->batch);
}

Request Consumer::on_stored(const absl::Status& status) {
  const Waiting done = *std::exchange(storing_, std::nullopt);
  const std::string type(done.batch.type->name);
  TypeState& state = types_.at(type);
  Request request = answer(type, done.nonce);
  if (!status.ok() || !done.problem.empty()) {
    request.error = status.ok() ? done.problem : std::string(message_of(status));
    request.version_info = state.acked_version;
    return request;
  }
  state.stored_any = true;
  state.known.reset();
  state.acked_version = done.version_info;
  request.version_info = done.version_info;
  return request;
}

Request Consumer::answer(const std::string& type, const std::string& nonce) const {
  return {.type = type, .nonce = nonce, .node = NodeInfo{.id = options_.node.id}};
}

}  // namespace kuma::kds
