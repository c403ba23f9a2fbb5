#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/bytes.h"
#include "kds/mapping.h"
#include "model/change.h"

namespace kuma::kds {

// What is offered: one resource as all peers get it.
struct Offer {
  model::ResourceKey key;    // as peers know it
  std::string version;       // SHA-256 of `bytes`
  SharedBytes bytes;         // a serialized KumaResource
  std::string origin_zone;   // see Outgoing
  std::string feature;
};

// Who is asking.
struct PeerView {
  std::string zone{};                  // the peer's, in a global; empty in a zone, whose peer is the global
  std::set<std::string, std::less<>> features{};  // of the node in its first request
};

// All that this control plane offers to its peers: the store's changes folded, mapped and encoded once for all of them.
// What a peer may not see is decided when it is asked for, so a peer costs no copy.
//
// Thread: one, that of the providers; no I/O.
class Catalog {
 public:
  // The offer `key` of `type` may be another one, gone, or visible to others than before. Called at most once a key and
  // batch of changes.
  using OnTouched = std::function<void(const model::ResourceType& type, const std::string& key)>;

  Catalog(const model::Registry& registry, SenderRules rules);

  const std::vector<const model::ResourceType*>& types() const { return types_; }
  void apply(std::span<const model::Change> changes);

  // The offer that a peer may see under a wire key; null: there is none.
  const Offer* find(const model::ResourceType& type, const std::string& key, const PeerView& peer) const;
  // Wire keys of all offers of a type, visible or not, in order.
  std::vector<std::string> keys(const model::ResourceType& type) const;

  // Listeners are told after a batch of changes has been applied, in the order in which they came.
  using ListenerId = uint64_t;
  ListenerId add_listener(OnTouched on_touched);
  void remove_listener(ListenerId id);

 private:
  using Offers = std::map<std::string, Offer>;  // by wire key
  using Touched = std::set<std::pair<const model::ResourceType*, std::string>>;

  void apply_resource(const model::Change& change, Touched& touched);
  void apply_zone(const model::Change& change, Touched& touched);
  bool is_visible(const Offer& offer, const PeerView& peer) const;

  const SenderRules rules_;
  const std::vector<const model::ResourceType*> types_;
  absl::flat_hash_map<const model::ResourceType*, Offers> offers_;
  // The wire key of each stored resource that is offered; another one than its own where its name is mapped.
  std::map<std::pair<const model::ResourceType*, model::ResourceKey>, std::string> renamed_;
  absl::flat_hash_set<std::string> disabled_zones_;
  ListenerId last_listener_ = 0;
  std::map<ListenerId, OnTouched> listeners_;
};

}  // namespace kuma::kds
