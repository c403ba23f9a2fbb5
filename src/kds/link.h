#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

// What sessions see of the network. Real connections (grpc_link) and simulated ones implement it; everything happens on one
// executor, and no method calls back.
namespace kuma::kds {

// One stream to a peer. Its owner outlives the session.
class Link {
 public:
  virtual ~Link() = default;
  virtual void send(const google::protobuf::Message& message) = 0;
  // The same for what has no secrets in it: it may travel compressed.
  virtual void send_plain(const google::protobuf::Message& message) { send(message); }
  // Ends the stream; Session::on_closed() follows, later.
  virtual void end(absl::Status why) = 0;
};

// What runs on a stream.
class Session {
 public:
  virtual ~Session() = default;
  virtual void on_message(std::string_view bytes) = 0;
  // The end, however it came; once, and `link` is not used any more.
  virtual void on_closed(const absl::Status& why) = 0;
};

// Makes the session of a stream that has opened. A session may live on after on_closed() while its work on other threads
// comes back, so it is shared.
using SessionFactory = std::function<std::shared_ptr<Session>(Link& link)>;

using Metadata = std::map<std::string, std::string>;

// A zone's connection to its global. Destroyed, it closes: every session has heard on_closed() when the destructor returns.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual void open(std::string rpc, Metadata metadata, SessionFactory make_session) = 0;
  virtual void call(std::string rpc, Metadata metadata, std::string request, std::function<void(const absl::Status&, std::string)> done) = 0;
};
using Connect = std::function<std::unique_ptr<Connection>()>;

// The methods (spec/kds.md §1).
inline constexpr std::string_view kGlobalToZoneSync = "/kuma.mesh.v1alpha1.KDSSyncService/GlobalToZoneSync";
inline constexpr std::string_view kZoneToGlobalSync = "/kuma.mesh.v1alpha1.KDSSyncService/ZoneToGlobalSync";
inline constexpr std::string_view kStreamMessage = "/kuma.mesh.v1alpha1.MultiplexService/StreamMessage";
inline constexpr std::string_view kStreamXdsConfigs = "/kuma.mesh.v1alpha1.GlobalKDSService/StreamXDSConfigs";
inline constexpr std::string_view kStreamStats = "/kuma.mesh.v1alpha1.GlobalKDSService/StreamStats";
inline constexpr std::string_view kStreamClusters = "/kuma.mesh.v1alpha1.GlobalKDSService/StreamClusters";
inline constexpr std::string_view kHealthCheck = "/kuma.mesh.v1alpha1.GlobalKDSService/HealthCheck";

// Request metadata (spec/kds.md §3).
inline constexpr const char* kClientId = "client-id";
inline constexpr const char* kKdsVersion = "kds-version";
inline constexpr const char* kFeatures = "features";
inline constexpr const char* kAuthorization = "authorization";
// Ours: which process of a zone this is, so that two of one name are told from one that comes back.
inline constexpr const char* kInstance = "kuma-instance";
// Ours: the zone's time of day when it connected, seconds since 1970, so that a clock that is off is noticed.
inline constexpr const char* kTime = "kuma-time";

}  // namespace kuma::kds
