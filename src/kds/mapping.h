#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "kds/direction.h"
#include "model/resource.h"

// What happens to a resource on its way: the sender's choice and changes (spec/kds.md §4.1, §4.2) and the receiver's (§4.3).
// Pure functions.
namespace kuma::kds {

// A node's feature: it understands public zone token keys.
inline constexpr std::string_view kFeatureZoneToken = "zone-token";

struct SenderRules {
  Side side = Side::Global;
  std::string zone{};             // the local zone, in a zone
  bool hash_suffix = false;  // experimental.kdsSyncNameWithHashSuffix
};

// A resource as peers get it, and which of them do not get it.
struct Outgoing {
  model::Resource resource;
  std::string origin_zone{};   // an ingress of that zone: not for the zone itself, and for nobody while it is disabled
  std::string feature{};       // only for peers that have this feature; empty: all
};

// Nothing for a resource that never leaves. InvalidArgument when it should but can't be sent (a signing key that is no key).
absl::StatusOr<std::optional<Outgoing>> to_outgoing(const SenderRules& rules, const model::ResourcePtr& stored);

// `<name>-<hash>` of a mesh and a name.
std::string with_hash_suffix(std::string_view mesh, std::string_view name);

struct ReceiverRules {
  Side side = Side::Zone;
  // The local zone in a zone. In a global, the zone that is connected, whatever its messages call themselves.
  std::string zone{};
};

// The name under which what a peer calls so is stored, and back.
model::ResourceKey to_stored_key(const ReceiverRules& rules, model::ResourceKey key);
model::ResourceKey to_peer_key(const ReceiverRules& rules, model::ResourceKey key);
// Name, zone and, in a global, the owner.
model::Resource to_stored(const ReceiverRules& rules, model::Resource received);
// What the peer would have to send for this to be stored: its version is the one that the peer knows it by.
model::Resource to_peer(const ReceiverRules& rules, const model::Resource& stored);

}  // namespace kuma::kds
