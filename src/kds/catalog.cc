#include "kds/catalog.h"

#include "base/log.h"
#include "base/status.h"
#include "kds/wire.h"
#include "system/v1alpha1/zone.pb.h"

namespace kuma::kds {
namespace {

bool is_enabled(const model::ResourcePtr& zone) {
  if (zone == nullptr) {
    return true;  // a zone that can't be read hides nothing
  }
  const auto& spec = zone->as<system::v1alpha1::Zone>();
  return !spec.has_enabled() || spec.enabled().value();
}

}  // namespace

Catalog::Catalog(const model::Registry& registry, SenderRules rules)
    : rules_(std::move(rules)), types_(provided_types(registry, rules_.side)) {
  for (const model::ResourceType* type : types_) {
    offers_.emplace(type, Offers());
  }
}

void Catalog::apply(std::span<const model::Change> changes) {
  Touched touched;
  for (const model::Change& change : changes) {
    if (rules_.side == Side::Global && change.type().name == "Zone") {
      apply_zone(change, touched);
    } else if (offers_.contains(&change.type())) {
      apply_resource(change, touched);
    }
  }
  if (touched.empty()) {
    return;
  }
  for (const auto& [id, on_touched] : listeners_) {
    for (const auto& [type, key] : touched) {
      on_touched(*type, key);
    }
  }
}

void Catalog::apply_resource(const model::Change& change, Touched& touched) {
  const model::ResourceType& type = change.type();
  Offers& offers = offers_.at(&type);
  const std::pair stored_key(&type, change.meta().key());
  const auto renamed = renamed_.find(stored_key);
  std::string old_key = renamed != renamed_.end() ? renamed->second : to_wire_key(stored_key.second);

  std::optional<Outgoing> outgoing;
  if (change.after != nullptr) {
    auto mapped = to_outgoing(rules_, change.after);
    if (mapped.ok()) {
      outgoing = *std::move(mapped);
    } else {
      // One resource that can't be sent must not keep back all others.
      make_logger("kds.catalog")->error("not sent to any zone: {}", message_of(mapped.status()));
    }
  }
  if (!outgoing) {
    if (renamed != renamed_.end()) {
      renamed_.erase(renamed);
    }
    if (offers.erase(old_key) > 0) {
      touched.emplace(&type, std::move(old_key));
    }
    return;
  }
  Offer offer{.key = outgoing->resource.meta.key(), .version = {}, .bytes = share_bytes(encode_resource(outgoing->resource)),
              .origin_zone = std::move(outgoing->origin_zone), .feature = std::move(outgoing->feature)};
  offer.version = version_of(*offer.bytes);
  std::string key = to_wire_key(offer.key);
  if (offer.key != stored_key.second) {
    renamed_[stored_key] = key;
  }
  const auto existing = offers.find(key);
  const bool same = existing != offers.end() && existing->second.version == offer.version && existing->second.origin_zone == offer.origin_zone;
  offers.insert_or_assign(key, std::move(offer));
  if (!same) {
    touched.emplace(&type, std::move(key));
  }
}

void Catalog::apply_zone(const model::Change& change, Touched& touched) {
  const std::string& zone = change.meta().name;
  const bool disabled = !is_enabled(change.after);
  if (disabled == disabled_zones_.contains(zone)) {
    return;
  }
  if (disabled) {
    disabled_zones_.insert(zone);
  } else {
    disabled_zones_.erase(zone);
  }
  for (const auto& [type, offers] : offers_) {
    if (type->name != "ZoneIngress") {
      continue;
    }
    for (const auto& [key, offer] : offers) {
      if (offer.origin_zone == zone) {
        touched.emplace(type, key);
      }
    }
  }
}

bool Catalog::is_visible(const Offer& offer, const PeerView& peer) const {
  if (!offer.feature.empty() && !peer.features.contains(offer.feature)) {
    return false;
  }
  return offer.origin_zone.empty() || (offer.origin_zone != peer.zone && !disabled_zones_.contains(offer.origin_zone));
}

const Offer* Catalog::find(const model::ResourceType& type, const std::string& key, const PeerView& peer) const {
  const auto offers = offers_.find(&type);
  if (offers == offers_.end()) {
    return nullptr;
  }
  const auto found = offers->second.find(key);
  return found != offers->second.end() && is_visible(found->second, peer) ? &found->second : nullptr;
}

std::vector<std::string> Catalog::keys(const model::ResourceType& type) const {
  std::vector<std::string> out;
  if (const auto offers = offers_.find(&type); offers != offers_.end()) {
    out.reserve(offers->second.size());
    for (const auto& [key, offer] : offers->second) {
      out.push_back(key);
    }
  }
  return out;
}

Catalog::ListenerId Catalog::add_listener(OnTouched on_touched) {
  listeners_.emplace(++last_listener_, std::move(on_touched));
  return last_listener_;
}

void Catalog::remove_listener(ListenerId id) { listeners_.erase(id); }

}  // namespace kuma::kds
