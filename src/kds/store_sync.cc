#include "kds/store_sync.h"

#include "absl/container/flat_hash_set.h"
#include "base/status.h"
#include "google/protobuf/util/message_differencer.h"
#include "kds/wire.h"

namespace kuma::kds {
namespace {

constexpr int kTriesMax = 5;  // of a write that others come in between of

bool is_same_spec(const model::Resource& a, const model::Resource& b) {
  if (a.type->is_target_ref) {
    return a.spec == b.spec;
  }
  return google::protobuf::util::MessageDifferencer::Equals(*a.message, *b.message);
}

}  // namespace

StoreSync::StoreSync(const model::Registry& registry, store::Store& store, ReceiverRules rules)
    : registry_(registry), store_(store), rules_(std::move(rules)) {}

std::vector<model::ResourceKey> StoreSync::to_delete(const Batch& batch) const {
  absl::flat_hash_set<model::ResourceKey> stays(batch.kept.begin(), batch.kept.end());
  for (const model::Resource& resource : batch.resources) {
    stays.insert(resource.meta.key());
  }
  std::vector<model::ResourceKey> out;
  if (batch.is_full) {
    const auto stored = store_.list({.type = batch.type, .filter = [this](const model::Resource& resource) { return is_in_scope(resource); }});
    for (const model::ResourcePtr& resource : stored.items) {
      if (!stays.contains(resource->meta.key())) {
        out.push_back(resource->meta.key());
      }
    }
    return out;
  }
  for (const model::ResourceKey& key : batch.removed) {
    const auto stored = store_.get(*batch.type, key);
    if (!stays.contains(key) && stored.ok() && is_in_scope(**stored)) {
      out.push_back(key);
    }
  }
  return out;
}

absl::Status StoreSync::check_zone(const Batch& batch) const {
  if (rules_.side == Side::Zone || batch.resources.empty()) {
    return absl::OkStatus();
  }
  return store_.get(*registry_.find("Zone"), {"", rules_.zone}).status();
}

absl::Status StoreSync::put(const model::Resource& resource, const Batch& batch) {
  absl::Status status;
  for (int tries = 0; tries < kTriesMax; ++tries) {
    const auto stored = store_.get(*batch.type, resource.meta.key());
    if (!stored.ok()) {
      status = store_.create(resource).status();
    } else if (!is_in_scope(**stored)) {
      return absl::FailedPreconditionError(fmt::format("{} belongs to this control plane and is not replaced by its peer's",
                                                       model::describe(*batch.type, resource.meta.key())));
    } else if (is_same_spec(**stored, resource)) {
      return absl::OkStatus();
    } else {
      model::Resource changed = resource;
      changed.meta.version = (*stored)->meta.version;
      status = store_.update(std::move(changed)).status();
    }
    if (!absl::IsAlreadyExists(status) && !absl::IsAborted(status)) {
      break;
    }
  }
  return status;
}

absl::Status StoreSync::store(const Batch& batch) {
  absl::Status first;
  const auto note = [&first](absl::Status status) {
    if (first.ok() && !status.ok()) {
      first = std::move(status);
    }
  };
  for (const model::ResourceKey& key : to_delete(batch)) {
    if (absl::Status status = store_.remove(*batch.type, key); !absl::IsNotFound(status)) {
      note(std::move(status));
    }
  }
  if (absl::Status status = check_zone(batch); !status.ok()) {
    return status;  // nobody would own what is created
  }
  // Creates before updates (spec/kds.md §8).
  std::vector<const model::Resource*> updates;
  for (const model::Resource& resource : batch.resources) {
    if (!is_in_scope(resource)) {
      continue;  // an ingress of no zone would become one of ours
    }
    if (store_.get(*batch.type, resource.meta.key()).ok()) {
      updates.push_back(&resource);
    } else {
      note(put(resource, batch));
    }
  }
  for (const model::Resource* resource : updates) {
    note(put(*resource, batch));
  }
  return first;
}

KnownVersions StoreSync::known_versions(const std::vector<const model::ResourceType*>& types, size_t size_max) const {
  constexpr size_t kEntryFrame = 64 + 12;  // a version and what is around key and version
  KnownVersions known;
  for (const model::ResourceType* type : types) {
    std::map<std::string, std::string> versions;
    size_t size = 0;
    const auto stored = store_.list({.type = type, .filter = [this](const model::Resource& resource) { return is_in_scope(resource); }});
    for (const model::ResourcePtr& resource : stored.items) {
      const model::Resource sent = to_peer(rules_, *resource);
      std::string key = to_wire_key(sent.meta.key());
      size += key.size() + kEntryFrame;
      versions.emplace(std::move(key), version_of(encode_resource(sent)));
    }
    if (size <= size_max / 2) {
      known.emplace(std::string(type->name), std::move(versions));
    }
  }
  return known;
}

}  // namespace kuma::kds
