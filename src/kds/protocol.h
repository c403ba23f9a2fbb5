#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "kds/catalog.h"

namespace kuma::kds {

// Delta is version 2 of the protocol, StateOfTheWorld version 1. One state machine serves both: the truth is the delta, and
// the state of the world is another way to write it down.
enum class Protocol { Delta, StateOfTheWorld };

// A node's feature of our own: a first response may come in several parts, as the peer told us what it has.
inline constexpr std::string_view kFeatureSplit = "kds-split";

// What a node says of itself.
struct NodeInfo {
  std::string id = {};
  std::set<std::string, std::less<>> features = {};
  std::string version = {}, git_tag = {}, git_commit = {}, build_date = {};
  std::string config = {};
};

// A request in either protocol: a subscription (no nonce), an ACK (nonce), a NACK (nonce and error).
struct Request {
  std::string type = {};
  std::string nonce = {};
  std::optional<std::string> error = {};
  bool wildcard = true;  // whether all of the type is wanted
  std::map<std::string, std::string> known = {};  // by wire key, the versions that the consumer has; delta, first request
  std::string version_info = {};                  // state of the world
  std::optional<NodeInfo> node = {};
};

// A response in either protocol. State of the world has no `removed`: it carries everything there is.
struct Response {
  std::string type = {};
  std::string nonce = {};
  std::string version_info = {};  // state of the world
  std::string identifier = {};    // of the sender
  std::vector<const Offer*> offers = {};
  std::vector<std::string> removed = {};  // wire keys
};

// A received response, not decoded further than its frame.
struct ReceivedResource {
  std::string version = {};  // delta
  google::protobuf::Any any = {};
};
struct ReceivedResponse {
  std::string type = {};
  std::string nonce = {};
  std::string version_info = {};
  std::string identifier = {};
  std::vector<ReceivedResource> resources = {};
  std::vector<std::string> removed = {};
};

namespace discovery = envoy::service::discovery::v3;

Request parse(const discovery::DeltaDiscoveryRequest& message);
Request parse(const discovery::DiscoveryRequest& message);
ReceivedResponse parse(discovery::DeltaDiscoveryResponse message);
ReceivedResponse parse(discovery::DiscoveryResponse message);

discovery::DeltaDiscoveryRequest to_delta(const Request& request);
discovery::DiscoveryRequest to_sotw(const Request& request);
discovery::DeltaDiscoveryResponse to_delta(const Response& response);
discovery::DiscoveryResponse to_sotw(const Response& response);

}  // namespace kuma::kds
