#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/resource.h"
#include "store/store.h"

namespace kuma::manager {

// Secrets and configs of the store as plain bytes, for those who know their names. A mesh's secret has a mesh, a global
// one none. Thread: any.
class Secrets {
 public:
  // Both outlive it.
  Secrets(const model::Registry& registry, store::Store& store);

  // NotFound in the store's words.
  absl::StatusOr<std::string> get(const model::ResourceKey& key) const;
  bool exists(const model::ResourceKey& key) const;
  // Names in the mesh (empty: global ones) that begin with the prefix, sorted.
  std::vector<std::string> names(const std::string& mesh, std::string_view prefix) const;
  // A mesh's secret made here belongs to its mesh and goes with it.
  absl::Status create(const model::ResourceKey& key, std::string data);
  absl::Status replace(const model::ResourceKey& key, std::string data);

  absl::StatusOr<std::string> get_config(std::string_view name) const;
  std::vector<std::string> config_names(std::string_view prefix) const;
  absl::Status create_config(std::string_view name, std::string value);
  absl::Status remove_config(std::string_view name);

  const model::ResourceType& type_of(const model::ResourceKey& key) const {
    return key.mesh.empty() ? global_secret_ : secret_;
  }

 private:
  const model::ResourceType& secret_;
  const model::ResourceType& global_secret_;
  const model::ResourceType& config_;
  store::Store& store_;
};

// OK for a create that came too late: somebody else has made the same.
inline absl::Status ignore_existing(absl::Status status) {
  return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
}

// The id of the cluster, empty until it is known (a zone gets its global's).
std::string find_cluster_id(const Secrets& secrets);

}  // namespace kuma::manager
