#pragma once

#include "absl/status/status.h"
#include "kds/consumer.h"
#include "kds/direction.h"
#include "store/store.h"

namespace kuma::kds {

// Brings the store in step with what a peer says (spec/kds.md §8): deletes, then creates, then updates, straight to the
// store, for the peer has validated. What is equal is not written. What is not in scope is not touched.
//
// Goes on after a failed write and returns the first failure, so one refused resource keeps nothing else back. May wait
// for a disk: call from a worker, one call at a time for a peer.
class StoreSync {
 public:
  // `rules.zone` says whose resources in a global. All outlive it.
  StoreSync(const model::Registry& registry, store::Store& store, ReceiverRules rules);

  absl::Status store(const Batch& batch);

  // What is stored in scope, as the peer would know it: what a consumer tells its provider. Types whose keys and versions
  // would not fit into half of `size_max` bytes are left out.
  KnownVersions known_versions(const std::vector<const model::ResourceType*>& types, size_t size_max) const;

 private:
  std::vector<model::ResourceKey> to_delete(const Batch& batch) const;
  absl::Status put(const model::Resource& resource, const Batch& batch);
  absl::Status check_zone(const Batch& batch) const;
  bool is_in_scope(const model::Resource& stored) const { return kds::is_in_scope(rules_.side, rules_.zone, stored); }

  const model::Registry& registry_;
  store::Store& store_;
  const ReceiverRules rules_;
};

}  // namespace kuma::kds
