#pragma once

#include <array>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "net/grpc.h"
#include "xds/server/snapshot.h"

namespace kuma::xds {

// One ADS stream as a state machine: requests and snapshots go in, responses come out. Knows no sockets and no clock but
// the one it is given.
//
// Inside, all is delta: for each type the session knows what the proxy has (name and version), what it asked for, and so
// what is missing. The incremental protocol sends just that. The state-of-the-world protocol sends the whole state for
// clusters and listeners, where what is not named is removed, and only what is new for the other types.
//
// A type has at most one response on its way; what changes meanwhile is merged into the next one. A response that was
// refused (NACK) leaves the proxy with what it had; the same content is sent again after the back-off, another at once.
// Clusters go out before their endpoints, both before listeners; clusters that are no longer wanted are removed only after
// the listeners that used them.
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

  void on_request(const envoy::service::discovery::v3::DiscoveryRequest& request);
  void on_request(const envoy::service::discovery::v3::DeltaDiscoveryRequest& request);
  // What the proxy is to have from now on. `propagation` is kept until the proxy has acknowledged all of it, or until the
  // next snapshot is complete in its place.
  void set_snapshot(SnapshotPtr snapshot, std::shared_ptr<void> propagation = nullptr);
  // Sends again what was refused, once its back-off is over (see retry_at).
  void on_timer();

  // Responses to send now, in this order.
  std::vector<net::GrpcMessage> take_responses();
  std::vector<Event> take_events();
  // When on_timer() is due, if at all.
  std::optional<MonotonicTime> retry_at() const;
  // The proxy has acknowledged everything it asked for and is to have.
  bool is_settled() const;

 private:
  // A resource as the proxy has it; `wire` is null when all we know is the version it named when it connected.
  struct Held {
    std::string version;
    WireResourcePtr wire;
  };
  using HeldMap = absl::flat_hash_map<std::string, Held>;

  struct TypeState {
    bool subscribed = false;
    bool wildcard = false;
    std::set<std::string, std::less<>> names;   // when not wildcard
    HeldMap held;                               // what the proxy has acknowledged
    // The response on its way: what it brings and takes away.
    bool in_flight = false;
    std::string nonce;                          // of the last response
    std::string acknowledged_nonce;             // of the last one that was acknowledged
    HeldMap bringing;
    std::vector<std::string> removing;
    bool whole = false;                         // it names everything the proxy is to have
    // After a rejection.
    std::string rejected_version;
    MonotonicTime retry_at{};
    bool rejected = false;
  };

  // What a response of a type would have to say.
  struct Difference {
    std::vector<WireResourcePtr> changed;
    std::vector<std::string> removed;
    std::vector<WireResourcePtr> kept;  // no longer wanted, but not to be removed before listeners are through
    bool empty() const { return changed.empty() && removed.empty(); }
  };

  TypeState& state_of(XdsType type) { return types_[static_cast<size_t>(type)]; }
  const TypeState& state_of(XdsType type) const { return types_[static_cast<size_t>(type)]; }
  bool wants(const TypeState& state, std::string_view name) const;
  Difference difference(XdsType type) const;
  bool holds_back_removals(XdsType type) const;
  bool must_wait(XdsType type) const;
  bool is_up_to_date(XdsType type) const;
  void acknowledge(XdsType type);
  void reject(XdsType type, const std::string& message);
  // Handles nonce and error detail; false when the request is stale and has to be ignored.
  bool on_confirmation(XdsType type, const std::string& nonce, const google::rpc::Status* error);
  void respond();
  void send(XdsType type, Difference difference);
  void settle();

  const Options options_;
  const Clock& clock_;
  std::array<TypeState, kXdsTypeCount> types_;
  SnapshotPtr snapshot_;
  std::vector<std::shared_ptr<void>> propagations_;
  uint64_t last_nonce_ = 0;
  std::vector<net::GrpcMessage> responses_;
  std::vector<Event> events_;
};

}  // namespace kuma::xds
