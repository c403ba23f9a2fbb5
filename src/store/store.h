#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/change.h"
#include "model/resource.h"

namespace kuma::store {

using model::Change;

struct ListQuery {
  const model::ResourceType* type = nullptr;  // required
  std::string mesh{};                         // empty: all meshes
  std::string name_contains{};
  // Keeps a resource when it returns true; empty: all. Called without locks that the store's own methods take.
  std::function<bool(const model::Resource&)> filter{};
  size_t offset = 0;
  size_t size = 0;  // 0: all
};

struct ListResult {
  std::vector<model::ResourcePtr> items;  // by mesh, then name
  size_t total = 0;                       // after filtering, over all pages
};

// Where resources live. All methods may be called from any thread; reads never wait for a disk.
//
// Errors: NotFound `Resource not found: type="T" name="N" mesh="M"`; AlreadyExists `resource already exists: type=…`;
// Aborted `resource conflict: type=…` for a stale version; ResourceExhausted when the disk is full, Unavailable for
// other failures of the medium, with its cause. A write that returned OK survives the process being killed (not
// `memory`).
class Store {
 public:
  virtual ~Store() = default;

  // Sets version 1 and both times to now unless meta.creation_time is set. An owner that does not exist is NotFound.
  virtual absl::StatusOr<model::ResourcePtr> create(model::Resource resource) = 0;
  // Replaces the spec of the resource whose stored version equals meta.version; keeps creation time and owner.
  virtual absl::StatusOr<model::ResourcePtr> update(model::Resource resource) = 0;
  // Deletes it and, recursively, all that it owns: one commit, one Change for each, children first.
  virtual absl::Status remove(const model::ResourceType& type, const model::ResourceKey& key) = 0;

  virtual absl::StatusOr<model::ResourcePtr> get(const model::ResourceType& type,
                                                 const model::ResourceKey& key) const = 0;
  virtual ListResult list(const ListQuery& query) const = 0;

  // Everything stored, as creates at one point of the commit order, then every later change, in order and without gaps.
  // `on_changes` runs on a writer's thread while the store is locked: it must only hand the changes on (post them to an
  // executor) and never call the store. Dropping the handle ends it; no call is under way after that.
  [[nodiscard]] virtual std::unique_ptr<class Subscription> subscribe(
      std::function<void(std::span<const Change>)> on_changes) = 0;

  // "memory", "sqlite", …
  virtual std::string_view kind() const = 0;
};

class Subscription {
 public:
  virtual ~Subscription() = default;
};

}  // namespace kuma::store
