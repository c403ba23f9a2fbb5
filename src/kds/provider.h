#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "kds/catalog.h"
#include "kds/protocol.h"

namespace kuma::kds {

// One peer's sending side, as a state machine: what has this peer, what is it owed (spec/kds.md §6.2, §7).
//
// A type is sent once the peer has asked for it. At most one response a type is under way; what changes meanwhile merges
// and follows after the answer. An ACK turns what was sent into what is known; a NACK makes it owed again, after a pause for
// this type alone. The peer's first request may say what it has, and then only the difference is sent.
//
// Bounds: a response is smaller than `message_size_max`; a larger set is split, where the peer can take that. A single
// resource that is larger is left out and named in the log. Requests for unknown types are answered by an empty response,
// once.
//
// Thread: the catalog's. No I/O; time from the clock.
class Provider {
 public:
  struct Options {
    Protocol protocol = Protocol::Delta;
    std::string identifier = {};  // "global", or the zone's name
    std::string peer_zone = {};   // see PeerView
    std::chrono::nanoseconds nack_backoff = std::chrono::seconds(5);
    // State of the world: between two responses of a type, each of which carries everything.
    std::chrono::nanoseconds interval_min = std::chrono::milliseconds(200);
    // The same for status that nobody waits for: a mesh's ServiceInsight is one large resource that changes with each of its
    // dataplanes, other insights are small.
    std::chrono::nanoseconds service_insight_interval = std::chrono::seconds(1);
    std::chrono::nanoseconds insight_interval = std::chrono::milliseconds(500);
    // After this long without an answer the stream is said to be stuck.
    std::chrono::nanoseconds answer_timeout = std::chrono::minutes(2);
    size_t message_size_max = 10 * 1024 * 1024;
  };
  struct Event {
    // LeftOut: something is too large to be sent; `error` names it.
    enum class Kind { Sent, Acknowledged, Rejected, LeftOut };
    Kind kind = Kind::Sent;
    std::string type = {};
    std::string error = {};
    std::chrono::nanoseconds took{};  // Acknowledged, Rejected: since it was sent
  };

  // `on_ready` is called when take_responses() may have something that it had not before; it must not call back.
  Provider(const model::Registry& registry, Catalog& catalog, Options options, const Clock& clock, std::function<void()> on_ready);
  ~Provider();
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;

  // An error ends the stream.
  absl::Status on_request(const Request& request);
  // What may be sent now. The offers in it are valid until the catalog changes.
  std::vector<Response> take_responses();
  std::vector<Event> take_events();
  // When to call take_responses() and check_progress() again, if nothing else happens before.
  std::optional<MonotonicTime> wake_at() const;
  // DeadlineExceeded when the peer owes an answer for too long.
  absl::Status check_progress() const;

  // The node of the first request.
  const std::optional<NodeInfo>& node() const { return node_; }
  // The largest resource that is under way, with its size; empty when nothing is.
  std::string largest_under_way() const;
  // Nothing is owed and nothing under way.
  bool is_settled() const;

 private:
  struct InFlight {
    std::string nonce;
    std::map<std::string, std::string> versions;  // by key; empty: removed
    bool first = false;
    MonotonicTime since{};
  };
  struct TypeState {
    const model::ResourceType* type = nullptr;  // null: unknown here
    bool subscribed = false;
    bool first_sent = false;
    bool told = false;  // the peer said what it has
    std::map<std::string, std::string> known;  // versions by key, as acknowledged; delta
    std::set<std::string> touched;             // keys that may differ from what is known
    std::optional<InFlight> in_flight;
    MonotonicTime not_before{};
    std::string version_info;  // state of the world: of the last response that was acknowledged
    std::set<std::string> refused;  // what was said to be too large, once each; bounded by what is offered
  };

  void subscribe(TypeState& state, const Request& request);
  void answer(TypeState& state, const Request& request);
  std::chrono::nanoseconds interval_of(const std::string& type) const;
  bool is_due(const TypeState& state, MonotonicTime now) const;
  void take_delta(TypeState& state, const std::string& name, std::vector<Response>& out);
  void take_sotw(TypeState& state, const std::string& name, std::vector<Response>& out);
  void send(TypeState& state, Response response, std::vector<Response>& out);
  bool fits(const Offer& offer) const;
  void refuse(TypeState& state, std::string what);

  const model::Registry& registry_;
  Catalog& catalog_;
  const Options options_;
  const Clock& clock_;
  const std::function<void()> on_ready_;
  Catalog::ListenerId listener_ = 0;
  PeerView peer_;
  std::optional<NodeInfo> node_;
  std::map<std::string, TypeState> types_;  // bounded by kTypesMax
  std::vector<Event> events_;
  uint64_t last_nonce_ = 0;
};

}  // namespace kuma::kds
