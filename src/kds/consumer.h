#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kds/mapping.h"
#include "kds/protocol.h"

namespace kuma::kds {

// What is to be done in the store, in its own names.
struct Batch {
  const model::ResourceType* type = nullptr;
  std::vector<model::Resource> resources = {};
  std::vector<model::ResourceKey> removed = {};
  // The peer has no more than `resources` and `kept`: everything else in scope goes.
  bool is_full = false;
  std::vector<model::ResourceKey> kept = {};
};

// Versions that we have, by wire key; types by name. A type that isn't there: nothing is said to the peer, and its first
// response is taken for all there is.
using KnownVersions = std::map<std::string, std::map<std::string, std::string>>;

// One peer's receiving side, as a state machine (spec/kds.md §6.1, §7): asks for every type, hands responses on one at a
// time to be stored, and answers each.
//
// A resource that can't be read is left out, named in the NACK, and keeps nothing else back. What is stored under its
// name stays.
//
// Bound: a peer has at most one response a type under way, so more waiting ones than types end the stream.
class Consumer {
 public:
  struct Options {
    Protocol protocol = Protocol::Delta;
    ReceiverRules rules = {};
    NodeInfo node = {};  // what we say of ourselves
  };
  Consumer(std::vector<const model::ResourceType*> types, Options options);

  // The requests that open a stream.
  std::vector<Request> start(KnownVersions known);
  // An error ends the stream. The answers of responses that need no storing are put into `answers`.
  absl::Status on_response(ReceivedResponse response, std::vector<Request>& answers);
  // What to store next; nothing while the last one is being stored.
  std::optional<Batch> take_batch();
  // How that went: the answer.
  Request on_stored(const absl::Status& status);

  bool has_received() const { return has_received_; }
  bool is_idle() const { return waiting_.empty() && !storing_; }

 private:
  struct TypeState {
    const model::ResourceType* type = nullptr;
    std::optional<std::map<std::string, std::string>> known;  // as said; until the first response has been stored
    bool stored_any = false;
    std::string acked_version;  // state of the world
  };
  struct Waiting {
    Batch batch;
    std::string nonce;
    std::string version_info;
    std::string problem;  // of resources that can't be read
  };
  bool is_full(const TypeState& state, const ReceivedResponse& response) const;
  Request answer(const std::string& type, const std::string& nonce) const;

  const Options options_;
  std::map<std::string, TypeState> types_;
  std::deque<Waiting> waiting_;
  std::optional<Waiting> storing_;
  bool has_received_ = false;
  bool said_unknown_ = false;
};

}  // namespace kuma::kds
