#pragma once

#include <cassert>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "google/protobuf/message.h"
#include "model/resource_type.h"

namespace kuma::model {

// Identifies a resource within its type; `mesh` is empty for types of global scope. Ordered by mesh, then name, bytewise:
// the order of lists.
struct ResourceKey {
  std::string mesh;
  std::string name;

  auto operator<=>(const ResourceKey&) const = default;

  template <typename H>
  friend H AbslHashValue(H hash, const ResourceKey& key) {
    return H::combine(std::move(hash), key.mesh, key.name);
  }
};

struct ResourceMeta {
  std::string mesh;
  std::string name;
  WallTime creation_time{};
  WallTime modification_time{};
  uint64_t version = 0;  // 1 after create, +1 with each update; set by the store

  ResourceKey key() const { return {mesh, name}; }
};

// Names the resource whose deletion deletes this one too; empty type: nobody.
struct Owner {
  std::string type;
  ResourceKey key;

  bool operator==(const Owner&) const = default;
};

// One resource. Immutable once it is shared; whoever changes one copies it, and copies share the spec until they replace it.
struct Resource {
  const ResourceType* type = nullptr;
  ResourceMeta meta;
  Owner owner;

  // Exactly one is used: `message` by protobuf types (never null there), `spec` by targetRef policies (an object in
  // normal form: known members only, in the order of the schema, durations as Go prints them).
  std::shared_ptr<const google::protobuf::Message> message;
  json::value spec;

  // The spec as T. T must be the type's message; checked in debug builds.
  template <typename T>
  const T& as() const {
    assert(message != nullptr && message->GetDescriptor() == T::descriptor());
    return static_cast<const T&>(*message);
  }
};

using ResourcePtr = std::shared_ptr<const Resource>;

// `type="Dataplane" name="web-1" mesh="default"`, as messages name a resource.
std::string describe(const ResourceType& type, const ResourceKey& key);

// A new resource around a protobuf spec.
Resource make_resource(const ResourceType& type, ResourceKey key, std::unique_ptr<google::protobuf::Message> spec);

}  // namespace kuma::model
