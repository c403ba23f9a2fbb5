#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "net/grpc.h"
#include "xds/server/propagation.h"
#include "xds/server/snapshot.h"

namespace kuma::xds {

// One ADS stream as a state machine: requests and snapshots go in, responses come out. Knows no sockets and no clock but
// the one it is given.
//
// Inside, all is delta: for each type the session knows what the proxy has, what it asked for, and so what is missing. The
// incremental protocol sends just that. The state-of-the-world protocol sends the whole state for clusters and listeners,
// where what is not named is removed, and only what is new for the other types.
//
// A type has at most one response on its way; what changes meanwhile is merged into the next one. A response that was
// refused (NACK) leaves the proxy with what it had; the same content is sent again after the back-off, another at once.
// Clusters go out before their endpoints, both before listeners, these before routes. Clusters that are no longer wanted are
// removed only after the proxy has taken the listeners and routes that do without them; a proxy that refuses these keeps the
// old ones, and so the clusters behind them.
//
// A proxy that comes back says what it has: a version for each type (state of the world; a version names the set of what was
// sent, so it is known again, also by another control plane) or one for each resource (delta). That is not sent again.
//
// Thread: owned by the stream's loop.
class AdsSession {
 public:
  enum class Protocol { StateOfTheWorld, Delta };

  struct Options {
    Protocol protocol = Protocol::StateOfTheWorld;
    std::string control_plane_id;
    std::chrono::nanoseconds nack_backoff = std::chrono::seconds(5);
  };

  // What happened, for statistics: counted by the stream's insight.
  struct Event {
    enum class Kind { Sent, Acknowledged, Rejected };
    Kind kind = Kind::Sent;
    std::optional<XdsType> type;  // none: a type that we do not serve
    std::string message;          // of a rejection
  };

  AdsSession(Options options, const Clock& clock);

  // Requests for types that we do not serve are never answered.
  void on_request(const envoy::service::discovery::v3::DiscoveryRequest& request);
  void on_request(const envoy::service::discovery::v3::DeltaDiscoveryRequest& request);
  // What the proxy is to have from now on. `propagations` are told once the proxy has acknowledged all of it, or of what has
  // come in its place; not when it refused some.
  void set_snapshot(SnapshotPtr snapshot, std::vector<PropagationPtr> propagations = {});
  // Sends again what was refused, once its back-off is over (see retry_at).
  void on_timer();

  // Responses to send now, in this order.
  std::vector<net::GrpcMessage> take_responses();
  std::vector<Event> take_events();
  // When on_timer() is due, if at all.
  std::optional<MonotonicTime> retry_at() const;
  // Nothing is on its way: the proxy has answered all that it was sent of what it asked for.
  bool is_idle() const;
  // Idle, and the proxy has asked for clusters and listeners: it has everything.
  bool is_settled() const;

 private:
  using Resources = std::vector<WireResourcePtr>;  // in order of name
  using Names = std::vector<std::string>;          // sorted, each once

  // What a proxy said that it has when it connected; looked at when there is something to compare it with.
  struct Claim {
    std::string version;
    Names names;
    bool wildcard = false;
  };

  struct TypeState {
    bool subscribed = false;
    bool wildcard = false;
    Names names;           // besides the wildcard
    Resources held;        // what the proxy has acknowledged. What it only claims (delta) has no bytes
    std::optional<Claim> claim;
    bool has_more = false;  // it has things that we don't know: the next response has to say all
    // The response on its way: what it brings and takes away.
    bool in_flight = false;
    std::string nonce;               // of the last response
    std::string acknowledged_nonce;  // of the last one that was acknowledged
    Resources bringing;
    Names removing;
    bool whole = false;    // it names everything the proxy is to have
    // After a rejection: what was refused.
    bool rejected = false;
    Resources refused;
    Names refused_removals;
    MonotonicTime retry_at{};
  };

  // What a response of a type would have to say.
  struct Difference {
    Resources changed;
    Names removed;
    Resources kept;  // no longer wanted, but not to be removed yet
    bool empty() const { return changed.empty() && removed.empty(); }
  };

  TypeState& state_of(XdsType type) { return types_[static_cast<size_t>(type)]; }
  const TypeState& state_of(XdsType type) const { return types_[static_cast<size_t>(type)]; }
  Resources wanted(XdsType type, bool wildcard, const Names& names) const;
  std::string version_of(XdsType type, const Resources& resources) const;
  Difference difference(XdsType type) const;
  bool holds_back_removals() const;
  bool must_wait(XdsType type) const;
  bool is_up_to_date(XdsType type) const;
  void acknowledge(TypeState& state);
  void reject(TypeState& state);
  // Handles nonce and error detail; false when the request is stale.
  bool on_confirmation(XdsType type, const std::string& nonce, const google::rpc::Status* error);
  void check_claim(XdsType type);
  void forget(XdsType type, std::string_view name);
  void forget_unwanted(TypeState& state);
  void respond();
  void respond(XdsType type);
  void send(XdsType type, const Difference& what, Resources resources);
  void settle();

  const Options options_;
  const Clock& clock_;
  std::array<TypeState, kXdsTypeCount> types_;
  SnapshotPtr snapshot_;
  std::vector<PropagationPtr> propagations_;
  uint64_t last_nonce_ = 0;
  std::vector<net::GrpcMessage> responses_;
  std::vector<Event> events_;
};

}  // namespace kuma::xds
