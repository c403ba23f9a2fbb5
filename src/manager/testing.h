#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "manager/initial_resources.h"
#include "manager/resource_manager.h"
#include "model/rest.h"
#include "policy/policy.h"
#include "security/testing.h"
#include "store/memory_store.h"

// For the tests of this folder.
namespace kuma::manager::testing {

inline model::Registry all_types() {
  std::vector<model::ResourceType> types = model::core_types();
  for (model::ResourceType& type : policy::policy_types()) {
    types.push_back(std::move(type));
  }
  return model::Registry(std::move(types));
}

// A store that fails from the n-th write on, as when the disk is full or the process was killed there.
class FailingStore final : public store::Store {
 public:
  explicit FailingStore(store::Store& store) : store_(store) {}
  int writes_left = 1'000'000;

  absl::StatusOr<model::ResourcePtr> create(model::Resource resource) override {
    KUMA_RETURN_IF_ERROR(count());
    return store_.create(std::move(resource));
  }
  absl::StatusOr<model::ResourcePtr> update(model::Resource resource) override {
    KUMA_RETURN_IF_ERROR(count());
    return store_.update(std::move(resource));
  }
  absl::Status remove(const model::ResourceType& type, const model::ResourceKey& key) override {
    KUMA_RETURN_IF_ERROR(count());
    return store_.remove(type, key);
  }
  absl::StatusOr<model::ResourcePtr> get(const model::ResourceType& type, const model::ResourceKey& key) const override {
    return store_.get(type, key);
  }
  store::ListResult list(const store::ListQuery& query) const override { return store_.list(query); }
  std::unique_ptr<store::Subscription> subscribe(
      std::function<void(std::span<const store::Change>)> on_changes) override {
    return store_.subscribe(std::move(on_changes));
  }
  std::string_view kind() const override { return store_.kind(); }

 private:
  absl::Status count() {
    if (writes_left <= 0) {
      return absl::ResourceExhaustedError("disk full");
    }
    --writes_left;
    return absl::OkStatus();
  }

  store::Store& store_;
};

// A manager over a memory store. Keys are made by `executor` when the test says so, and are always the same short one.
class ManagerHarness {
 public:
  explicit ManagerHarness(Options with = {}) : options(std::move(with)), memory(store::make_memory_store(registry, clock)) {
    restart();
  }

  // A new process on the same store.
  void restart() {
    initial.reset();
    manager.reset();
    keys.reset();
    pending.reset();
    executor = std::make_unique<security::testing::ManualExecutor>();
    store.writes_left = 1'000'000;
    pending = std::make_unique<PendingSecrets>();
    keys = std::make_unique<security::KeyPool>(
        *executor, security::KeyPoolLimits{.ready_count = 0},
        []() -> absl::StatusOr<security::PrivateKey> { return security::testing::rsa_key(); });
    manager = std::make_unique<ResourceManager>(ResourceManager::Parts{registry, store, *keys, *pending, clock}, options);
    initial = std::make_unique<InitialResources>(
        InitialResources::Parts{registry, store, *manager, *keys, *pending, clock}, options);
  }

  // A PUT of a resource in its REST form, as YAML.
  absl::Status put(std::string_view yaml) {
    auto document = model::from_rest(registry, *parse_yaml(yaml));
    KUMA_RETURN_IF_ERROR(document.status());
    model::Resource resource = std::move(document->resource);
    const auto stored = memory->get(*resource.type, resource.meta.key());
    if (!stored.ok()) {
      return manager->create(std::move(resource)).status();
    }
    resource.meta = (*stored)->meta;
    return manager->update(std::move(resource)).status();
  }
  absl::Status remove(std::string_view type, const model::ResourceKey& key) { return manager->remove(*registry.find(type), key); }

  // The REST form without times; empty when it is not there.
  std::string get(std::string_view type, const model::ResourceKey& key) const {
    const auto stored = memory->get(*registry.find(type), key);
    if (!stored.ok()) {
      return {};
    }
    json::object object = model::to_rest(**stored);
    object.erase("creationTime");
    object.erase("modificationTime");
    return to_json(sorted(object));
  }
  model::ResourcePtr find(std::string_view type, const model::ResourceKey& key) const {
    return memory->get(*registry.find(type), key).value_or(nullptr);
  }
  // `mesh/name`, or `name`, of everything of a type.
  std::vector<std::string> names(std::string_view type) const {
    store::ListQuery query;
    query.type = registry.find(type);
    std::vector<std::string> out;
    for (const model::ResourcePtr& resource : memory->list(query).items) {
      out.push_back(resource->meta.mesh.empty() ? resource->meta.name
                                                : fmt::format("{}/{}", resource->meta.mesh, resource->meta.name));
    }
    return out;
  }

  Options options;
  ManualClock clock;
  model::Registry registry = all_types();
  std::unique_ptr<store::Store> memory;
  FailingStore store{*memory};
  std::unique_ptr<security::testing::ManualExecutor> executor;
  std::unique_ptr<PendingSecrets> pending;
  std::unique_ptr<security::KeyPool> keys;
  std::unique_ptr<ResourceManager> manager;
  std::unique_ptr<InitialResources> initial;
};

// `field: message; field: message`, or the message of another error.
inline std::string text_of(const absl::Status& status) { return std::string(message_of(status)); }

}  // namespace kuma::manager::testing
