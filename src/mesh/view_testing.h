#pragma once

// For tests only: resources written as YAML, and the changes of a store that has them.

#include <map>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "mesh/view_builder.h"
#include "model/rest.h"

namespace kuma::mesh::testing {

// Remembers what was put, as a store does, and tells the changes. Each write is one second after the last.
class TestStore {
 public:
  explicit TestStore(std::vector<model::ResourceType> types) : registry_(std::move(types)) {}

  const model::Registry& registry() const { return registry_; }

  // YAML documents in REST form, each a create or an update. Throws when one can't be read: a mistake of the test.
  std::vector<model::Change> put(const std::string& yaml) {
    auto documents = parse_yaml_documents(yaml);
    if (!documents.ok()) {
      throw std::invalid_argument(std::string(message_of(documents.status())) + "\n" + yaml);
    }
    std::vector<model::Change> changes;
    for (const json::value& document : *documents) {
      changes.push_back(put_one(document));
    }
    return changes;
  }

  model::Change put_one(const json::value& document) {
    auto read = model::from_rest(registry_, document);
    if (!read.ok()) {
      throw std::invalid_argument(std::string(message_of(read.status())) + "\n" + to_json(document));
    }
    return write(std::move(read->resource));
  }

  // A spec that validation may refuse, as an older peer might send it.
  std::vector<model::Change> put_unchecked(std::string_view type, const model::ResourceKey& key, const std::string& spec_yaml) {
    auto spec = parse_yaml(spec_yaml);
    auto read = spec.ok() ? model::from_spec_json(*registry_.find(type), key, *spec) : spec.status();
    if (!read.ok()) {
      throw std::invalid_argument(std::string(message_of(read.status())) + "\n" + spec_yaml);
    }
    return {write(*std::move(read))};
  }

  std::vector<model::Change> put_resource(model::Resource resource) { return {write(std::move(resource))}; }

  std::vector<model::Change> remove(std::string_view type, const std::string& mesh, const std::string& name) {
    auto found = stored_.find(key_of(type, mesh, name));
    if (found == stored_.end()) {
      throw std::invalid_argument(fmt::format("no {} {} in {}", type, name, mesh));
    }
    now_ += std::chrono::seconds(1);
    model::Change change{.before = found->second, .after = nullptr, .sequence = ++sequence_, .committed_at = committed_at()};
    stored_.erase(found);
    return {change};
  }

  model::ResourcePtr find(std::string_view type, const std::string& mesh, const std::string& name) const {
    auto found = stored_.find(key_of(type, mesh, name));
    return found == stored_.end() ? nullptr : found->second;
  }

  // All that is stored, as a store's subscription starts.
  std::vector<model::Change> snapshot() const {
    std::vector<model::Change> changes;
    for (const auto& [key, resource] : stored_) {
      changes.push_back({.before = nullptr, .after = resource, .sequence = sequence_, .committed_at = {}});
    }
    return changes;
  }

 private:
  using Key = std::tuple<std::string, std::string, std::string>;
  static Key key_of(std::string_view type, const std::string& mesh, const std::string& name) {
    return {std::string(type), mesh, name};
  }
  model::Change write(model::Resource written) {
    auto resource = std::make_shared<model::Resource>(std::move(written));
    auto& stored = stored_[key_of(resource->type->name, resource->meta.mesh, resource->meta.name)];
    now_ += std::chrono::seconds(1);
    resource->meta.modification_time = now_;
    resource->meta.creation_time = stored == nullptr ? now_ : stored->meta.creation_time;
    resource->meta.version = stored == nullptr ? 1 : stored->meta.version + 1;
    model::Change change{.before = stored, .after = resource, .sequence = ++sequence_, .committed_at = committed_at()};
    stored = std::move(resource);
    return change;
  }

  MonotonicTime committed_at() const { return MonotonicTime(std::chrono::seconds(sequence_)); }

  model::Registry registry_;
  std::map<Key, model::ResourcePtr> stored_;
  WallTime now_{std::chrono::seconds(1'700'000'000)};
  uint64_t sequence_ = 0;
};

}  // namespace kuma::mesh::testing
