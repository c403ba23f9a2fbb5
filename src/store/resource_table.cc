#include "store/resource_table.h"

#include <algorithm>
#include <mutex>

#include "fmt/format.h"

namespace kuma::store {

using model::Resource;
using model::ResourceKey;
using model::ResourcePtr;
using model::ResourceType;

namespace {

std::string name_resource(std::string_view type, const ResourceKey& key) {
  return fmt::format("type=\"{}\" name=\"{}\" mesh=\"{}\"", type, key.name, key.mesh);
}

// Whether the resource at `position` of all that pass the filters is on the page that is asked for.
bool is_on_page(const ListQuery& query, size_t position) {
  return position >= query.offset && (query.size == 0 || position - query.offset < query.size);
}

}  // namespace

absl::Status not_found(std::string_view type, const ResourceKey& key) {
  return absl::NotFoundError(fmt::format("Resource not found: {}", name_resource(type, key)));
}

absl::Status already_exists(const ResourceType& type, const ResourceKey& key) {
  return absl::AlreadyExistsError(fmt::format("resource already exists: {}", name_resource(type.name, key)));
}

absl::Status conflict(const ResourceType& type, const ResourceKey& key) {
  return absl::AbortedError(fmt::format("resource conflict: {}", name_resource(type.name, key)));
}

ResourceTable::ResourceTable(const model::Registry& registry, const Clock& clock) : registry_(registry), clock_(clock) {
  for (const ResourceType& type : registry.types()) {
    types_.push_back(&type);
    shards_.emplace(&type, std::make_unique<Shard>());
  }
  std::sort(types_.begin(), types_.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
}

const ResourceTable::Shard* ResourceTable::shard_of(const ResourceType* type) const {
  const auto found = shards_.find(type);
  return found == shards_.end() ? nullptr : found->second.get();
}

ResourcePtr ResourceTable::find(const ResourceType& type, const ResourceKey& key) const {
  const Shard* shard = shard_of(&type);
  if (shard == nullptr) {
    return nullptr;
  }
  const std::shared_lock lock(shard->mutex);
  const auto found = shard->by_key.find(KeyView{key.mesh, key.name});
  return found == shard->by_key.end() ? nullptr : *found;
}

ListResult ResourceTable::list(const ListQuery& query) const {
  ListResult result;
  const Shard* shard = shard_of(query.type);
  if (shard == nullptr) {
    return result;
  }
  // The caller's filter runs without the lock, so its candidates are collected first.
  std::vector<ResourcePtr> candidates;
  std::vector<ResourcePtr>& matching = query.filter ? candidates : result.items;
  {
    const std::shared_lock lock(shard->mutex);
    auto it = query.mesh.empty() ? shard->by_key.begin() : shard->by_key.lower_bound(KeyView{query.mesh, ""});
    for (; it != shard->by_key.end() && (query.mesh.empty() || (*it)->meta.mesh == query.mesh); ++it) {
      if (!query.name_contains.empty() && (*it)->meta.name.find(query.name_contains) == std::string::npos) {
        continue;
      }
      if (query.filter || is_on_page(query, result.total++)) {
        matching.push_back(*it);
      }
    }
  }
  for (ResourcePtr& candidate : candidates) {
    if (query.filter(*candidate) && is_on_page(query, result.total++)) {
      result.items.push_back(std::move(candidate));
    }
  }
  return result;
}

std::vector<ResourcePtr> ResourceTable::all() const {
  std::vector<ResourcePtr> result;
  for (const ResourceType* type : types_) {
    const Shard& shard = *shards_.at(type);
    const std::shared_lock lock(shard.mutex);
    result.insert(result.end(), shard.by_key.begin(), shard.by_key.end());
  }
  return result;
}

absl::Status ResourceTable::check_new(const Resource& resource) const {
  const ResourceType& type = *resource.type;
  const ResourceKey key = resource.meta.key();
  if (key.name.empty()) {
    return absl::InvalidArgumentError(fmt::format("a resource needs a name: {}", name_resource(type.name, key)));
  }
  if ((type.scope == model::Scope::Mesh) == key.mesh.empty()) {
    return absl::InvalidArgumentError(fmt::format("a resource of this type {} mesh: {}",
                                                  key.mesh.empty() ? "needs a" : "is of no",
                                                  name_resource(type.name, key)));
  }
  if (find(type, key) != nullptr) {
    return already_exists(type, key);
  }
  if (resource.owner.type.empty()) {
    return absl::OkStatus();
  }
  const ResourceType* owner_type = registry_.find(resource.owner.type);
  if (owner_type == nullptr || find(*owner_type, resource.owner.key) == nullptr) {
    return not_found(resource.owner.type, resource.owner.key);
  }
  return absl::OkStatus();
}

namespace {

// What keeps the table from taking any resource of a caller that mixed up registries or forgot the spec.
absl::Status check_shape(const Resource& resource, bool type_is_known) {
  if (!type_is_known) {
    return absl::InvalidArgumentError(fmt::format("a resource of a type that this store does not know: {}",
                                                  resource.type == nullptr ? "none" : resource.type->name));
  }
  if (!resource.type->is_target_ref && resource.message == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("a resource needs a spec: {}", name_resource(resource.type->name, resource.meta.key())));
  }
  return absl::OkStatus();
}

}  // namespace

WritePlan ResourceTable::plan_create(Resource resource) const {
  WritePlan plan;
  plan.status = check_shape(resource, shard_of(resource.type) != nullptr);
  if (!plan.status.ok()) {
    return plan;
  }
  plan.written.push_back({resource.type, resource.meta.key()});
  if (const ResourceType* owner_type = registry_.find(resource.owner.type); owner_type != nullptr) {
    plan.read.push_back({owner_type, resource.owner.key});
  }
  plan.status = check_new(resource);
  if (!plan.status.ok()) {
    return plan;
  }
  resource.meta.version = 1;
  if (resource.meta.creation_time == WallTime{}) {
    resource.meta.creation_time = clock_.wall_now();
    resource.meta.modification_time = resource.meta.creation_time;
  } else if (resource.meta.modification_time == WallTime{}) {
    resource.meta.modification_time = resource.meta.creation_time;
  }
  plan.changes.push_back({.before = nullptr, .after = std::make_shared<const Resource>(std::move(resource))});
  return plan;
}

WritePlan ResourceTable::plan_update(Resource resource) const {
  WritePlan plan;
  plan.status = check_shape(resource, shard_of(resource.type) != nullptr);
  if (!plan.status.ok()) {
    return plan;
  }
  const ResourceKey key = resource.meta.key();
  plan.written.push_back({resource.type, key});
  const ResourcePtr stored = find(*resource.type, key);
  if (stored == nullptr || stored->meta.version != resource.meta.version) {
    plan.status = conflict(*resource.type, key);
    return plan;
  }
  resource.meta.version += 1;
  resource.meta.creation_time = stored->meta.creation_time;
  resource.meta.modification_time = clock_.wall_now();
  resource.owner = stored->owner;
  plan.changes.push_back({.before = stored, .after = std::make_shared<const Resource>(std::move(resource))});
  return plan;
}

void ResourceTable::collect_children(const Resource& resource, std::vector<const Resource*>& out) const {
  const auto owned = children_.find(ResourceRef{resource.type, resource.meta.key()});
  if (owned == children_.end()) {
    return;
  }
  std::vector<const Resource*> sorted(owned->second.begin(), owned->second.end());
  std::sort(sorted.begin(), sorted.end(), [](const Resource* a, const Resource* b) {
    return std::tie(a->type->name, a->meta.mesh, a->meta.name) < std::tie(b->type->name, b->meta.mesh, b->meta.name);
  });
  out.insert(out.end(), sorted.begin(), sorted.end());
}

WritePlan ResourceTable::plan_remove(const ResourceType& type, const ResourceKey& key) const {
  WritePlan plan;
  plan.written.push_back({&type, key});
  const ResourcePtr root = find(type, key);
  if (root == nullptr) {
    plan.status = not_found(type.name, key);
    return plan;
  }
  // Breadth first, then backwards: whoever owns something comes after it.
  std::vector<const Resource*> order{root.get()};
  for (size_t i = 0; i < order.size(); ++i) {
    collect_children(*order[i], order);
  }
  plan.changes.reserve(order.size());
  for (auto it = order.rbegin(); it != order.rend(); ++it) {
    ResourceRef ref{(*it)->type, (*it)->meta.key()};
    plan.changes.push_back({.before = find(*ref.type, ref.key), .after = nullptr});
    if (*it != root.get()) {
      plan.written.push_back(std::move(ref));
    }
  }
  return plan;
}

void ResourceTable::replace_in_owner_index(const Resource* before, const Resource* after) {
  const Resource* any = after != nullptr ? after : before;
  const ResourceType* owner_type = registry_.find(any->owner.type);
  if (owner_type == nullptr) {
    return;
  }
  const ResourceRef owner{owner_type, any->owner.key};
  if (after != nullptr) {
    Children& children = children_[owner];
    children.erase(before);
    children.insert(after);
    return;
  }
  const auto found = children_.find(owner);
  if (found == children_.end()) {
    return;
  }
  found->second.erase(before);
  if (found->second.empty()) {
    children_.erase(found);
  }
}

void ResourceTable::replace(Shard& shard, const Change& change) {
  const std::unique_lock lock(shard.mutex);
  if (change.before != nullptr) {
    shard.by_key.erase(change.before);
  }
  if (change.after != nullptr) {
    shard.by_key.insert(change.after);
  }
}

void ResourceTable::apply(const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    replace_in_owner_index(change.before.get(), change.after.get());
    replace(*shards_.at(&change.type()), change);
  }
}

void ResourceTable::load(ResourcePtr resource) { apply({Change{.before = nullptr, .after = std::move(resource)}}); }

}  // namespace kuma::store
