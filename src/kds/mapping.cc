#include "kds/mapping.h"

#include "base/status.h"
#include "base/text.h"
#include "manager/names.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/dataplane_insight.pb.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "mesh/v1alpha1/zone_ingress_insight.pb.h"
#include "mesh/v1alpha1/zoneegress.pb.h"
#include "mesh/v1alpha1/zoneegressinsight.pb.h"
#include "security/key.h"
#include "system/v1alpha1/secret.pb.h"

namespace kuma::kds {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;

constexpr std::string_view kZoneTag = "kuma.io/zone";
constexpr size_t kNameLenMax = 253;
constexpr size_t kHashLen = 16;

template <typename Message>
void set_message(model::Resource& resource, Message message) {
  resource.message = std::make_shared<const Message>(std::move(message));
}

// The tag kuma.io/zone of a gateway, else of the first inbound.
std::string_view zone_tag(const pb::Dataplane& dataplane) {
  const pb::Dataplane::Networking& networking = dataplane.networking();
  if (networking.has_gateway()) {
    const auto tag = networking.gateway().tags().find(std::string(kZoneTag));
    return tag == networking.gateway().tags().end() ? std::string_view() : std::string_view(tag->second);
  }
  if (networking.inbound_size() == 0) {
    return {};
  }
  const auto tag = networking.inbound(0).tags().find(std::string(kZoneTag));
  return tag == networking.inbound(0).tags().end() ? std::string_view() : std::string_view(tag->second);
}

// A generation only says that a stream lives; without it, the heartbeats of proxies cause no traffic.
template <typename Insight>
void drop_generations(model::Resource& resource) {
  Insight insight = resource.as<Insight>();
  for (auto& subscription : *insight.mutable_subscriptions()) {
    subscription.set_generation(0);
  }
  set_message(resource, std::move(insight));
}

absl::StatusOr<std::optional<Outgoing>> outgoing_of_zone(const SenderRules& rules, const model::Resource& stored) {
  const std::string_view type = stored.type->name;
  Outgoing out{.resource = stored};
  if (type == "Dataplane") {
    if (zone_tag(stored.as<pb::Dataplane>()) != rules.zone) {
      return std::nullopt;
    }
  } else if (type == "ZoneIngress") {
    const std::string_view owner = zone_of_ingress(stored);
    if (!owner.empty() && owner != rules.zone) {
      return std::nullopt;
    }
  } else if (type == "DataplaneInsight") {
    drop_generations<pb::DataplaneInsight>(out.resource);
  } else if (type == "ZoneIngressInsight") {
    drop_generations<pb::ZoneIngressInsight>(out.resource);
  } else if (type == "ZoneEgressInsight") {
    drop_generations<pb::ZoneEgressInsight>(out.resource);
  }
  return out;
}

// Zones verify zone tokens but cannot issue them: they get the public half.
absl::StatusOr<std::optional<Outgoing>> outgoing_secret(const model::Resource& stored) {
  const std::string_view name = stored.meta.name;
  Outgoing out{.resource = stored};
  if (name.starts_with(manager::kZoneIngressKeyPrefix)) {
    return out;
  }
  if (!name.starts_with(manager::kZoneKeyPrefix)) {
    return std::nullopt;
  }
  const auto key = security::PrivateKey::parse_pem(stored.as<system::v1alpha1::Secret>().data().value());
  if (!key.ok()) {
    return absl::InvalidArgumentError(fmt::format("GlobalSecret \"{}\" has to be a private RSA key in PEM, so that its public half can go to the zones: {}",
                                                  name, message_of(key.status())));
  }
  system::v1alpha1::Secret secret;
  secret.mutable_data()->set_value(key->public_pem());
  out.resource.meta.name = fmt::format("{}{}", manager::kZonePublicKeyPrefix, name.substr(manager::kZoneKeyPrefix.size()));
  set_message(out.resource, std::move(secret));
  out.feature = kFeatureZoneToken;
  return out;
}

absl::StatusOr<std::optional<Outgoing>> outgoing_of_global(const SenderRules& rules, const model::Resource& stored) {
  const model::ResourceType& type = *stored.type;
  if (type.name == "Config") {
    return stored.meta.name == manager::kClusterId ? std::optional(Outgoing{.resource = stored}) : std::nullopt;
  }
  if (type.name == "GlobalSecret") {
    return outgoing_secret(stored);
  }
  Outgoing out{.resource = stored, .origin_zone = std::string(zone_of_ingress(stored))};
  if (rules.hash_suffix && type.scope == model::Scope::Mesh && type.name != "Secret") {
    out.resource.meta.name = with_hash_suffix(stored.meta.mesh, stored.meta.name);
  }
  return out;
}

template <typename Message>
void set_zone(model::Resource& resource, const std::string& zone) {
  Message message = resource.as<Message>();
  message.set_zone(zone);
  set_message(resource, std::move(message));
}

void set_zone_of_proxy(model::Resource& resource, const std::string& zone) {
  if (resource.type->name == "ZoneIngress") {
    set_zone<pb::ZoneIngress>(resource, zone);
  } else if (resource.type->name == "ZoneEgress") {
    set_zone<pb::ZoneEgress>(resource, zone);
  }
}

}  // namespace

absl::StatusOr<std::optional<Outgoing>> to_outgoing(const SenderRules& rules, const model::ResourcePtr& stored) {
  return rules.side == Side::Zone ? outgoing_of_zone(rules, *stored) : outgoing_of_global(rules, *stored);
}

std::string with_hash_suffix(std::string_view mesh, std::string_view name) {
  constexpr std::string_view kSafe = "bcdfghjklmnpqrstvwxz2456789";
  const uint64_t hash = fnv1a64(fmt::format("{}{}", mesh, name));
  std::string suffix = fmt::format("{:0{}x}", hash, kHashLen);
  for (char& digit : suffix) {
    digit = kSafe[static_cast<unsigned char>(digit) % kSafe.size()];
  }
  return fmt::format("{}-{}", name.substr(0, kNameLenMax - kHashLen - 1), suffix);
}

model::ResourceKey to_stored_key(const ReceiverRules& rules, model::ResourceKey key) {
  if (rules.side == Side::Global) {
    key.name = fmt::format("{}.{}", rules.zone, key.name);
  }
  return key;
}

model::ResourceKey to_peer_key(const ReceiverRules& rules, model::ResourceKey key) {
  if (rules.side == Side::Global && key.name.size() > rules.zone.size()) {
    key.name.erase(0, rules.zone.size() + 1);
  }
  return key;
}

model::Resource to_stored(const ReceiverRules& rules, model::Resource received) {
  if (rules.side == Side::Zone) {
    return received;  // of nobody: it goes when the global says so
  }
  model::ResourceKey key = to_stored_key(rules, received.meta.key());
  received.meta.name = std::move(key.name);
  set_zone_of_proxy(received, rules.zone);
  received.owner = {"Zone", {"", rules.zone}};
  return received;
}

model::Resource to_peer(const ReceiverRules& rules, const model::Resource& stored) {
  model::Resource out = stored;
  out.meta.name = to_peer_key(rules, stored.meta.key()).name;
  if (rules.side == Side::Global) {
    set_zone_of_proxy(out, "");  // what it is in its own zone
  }
  return out;
}

}  // namespace kuma::kds
