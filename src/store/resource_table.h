#pragma once

#include <memory>
#include <shared_mutex>
#include <string_view>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "store/store.h"

namespace kuma::store {

// Names one stored resource of any type.
struct ResourceRef {
  const model::ResourceType* type = nullptr;
  model::ResourceKey key;

  bool operator==(const ResourceRef&) const = default;
  template <typename H>
  friend H AbslHashValue(H hash, const ResourceRef& ref) {
    return H::combine(std::move(hash), ref.type, ref.key);
  }
};

// What one write would do to the table as it is: checked, not applied. `status` is not OK when the write is refused;
// then `changes` is empty, but the refs are still what the verdict depends on.
struct WritePlan {
  absl::Status status;
  std::vector<Change> changes;       // in the order to apply: children before their owner
  std::vector<ResourceRef> written;  // whose absence or version this write depends on, and which it replaces
  std::vector<ResourceRef> read;     // that must not go away in between: the owner of what is created
};

// All resources in memory: what every embedded store reads from, and the rules of writing.
//
// One shard a type, each a set sorted by (mesh, name) behind a lock that is held for a lookup or for copying pointers,
// never while a caller's code runs. Besides, an index from owners to what they own, for recursive deletion.
//
// Thread: reads from any thread at any time. plan_* and apply() belong to one writer at a time, which the store
// ensures.
class ResourceTable {
 public:
  ResourceTable(const model::Registry& registry, const Clock& clock);

  model::ResourcePtr find(const model::ResourceType& type, const model::ResourceKey& key) const;
  ListResult list(const ListQuery& query) const;
  // Everything, by type name, then mesh and name.
  std::vector<model::ResourcePtr> all() const;

  WritePlan plan_create(model::Resource resource) const;
  WritePlan plan_update(model::Resource resource) const;
  WritePlan plan_remove(const model::ResourceType& type, const model::ResourceKey& key) const;

  // Makes planned changes visible, in their order.
  void apply(const std::vector<Change>& changes);
  // Puts a resource in as it is, with its version and times: for filling the table when a store opens.
  void load(model::ResourcePtr resource);

 private:
  struct KeyView {
    std::string_view mesh;
    std::string_view name;
    auto operator<=>(const KeyView&) const = default;
  };
  // Orders by key without a second copy of it.
  struct ByKey {
    using is_transparent = void;
    static KeyView view(const model::ResourcePtr& resource) { return {resource->meta.mesh, resource->meta.name}; }
    static KeyView view(const KeyView& key) { return key; }
    bool operator()(const auto& left, const auto& right) const { return view(left) < view(right); }
  };
  struct Shard {
    mutable std::shared_mutex mutex;  // guards by_key
    absl::btree_set<model::ResourcePtr, ByKey> by_key;
  };
  using Children = absl::flat_hash_set<const model::Resource*>;

  const Shard* shard_of(const model::ResourceType* type) const;
  absl::Status check_new(const model::Resource& resource) const;
  void collect_children(const model::Resource& resource, std::vector<const model::Resource*>& out) const;
  void replace(Shard& shard, const Change& change);
  void replace_in_owner_index(const model::Resource* before, const model::Resource* after);

  const model::Registry& registry_;
  const Clock& clock_;
  std::vector<const model::ResourceType*> types_;                                   // by name
  absl::flat_hash_map<const model::ResourceType*, std::unique_ptr<Shard>> shards_;  // fixed after construction
  // The writer's own: owners that own something. Pointers to resources that the shards hold.
  absl::flat_hash_map<ResourceRef, Children> children_;
};

// The errors that clients see.
absl::Status not_found(std::string_view type, const model::ResourceKey& key);
absl::Status already_exists(const model::ResourceType& type, const model::ResourceKey& key);
absl::Status conflict(const model::ResourceType& type, const model::ResourceKey& key);

}  // namespace kuma::store
