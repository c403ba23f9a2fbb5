#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "manager/mesh_setup.h"
#include "manager/options.h"
#include "manager/pending_secrets.h"
#include "manager/secrets.h"
#include "security/key_pool.h"
#include "store/store.h"

namespace kuma::manager {

// The way into the store for everybody who writes on behalf of a user or a proxy: fills defaults in, validates, checks what
// only other resources can tell, sets owners, and creates what comes with a mesh (spec/resources.md §5 to §7). KDS writes
// what its peer has checked straight to the store.
//
// Errors: Violations for what is not valid (missing_mesh() for a mesh that is not there); refused_membership(); else the
// store's. A write may wait for a disk, and one of a Mesh for RSA keys to be made, 0.1 to 0.5 s each when the pool has none:
// call from a worker, not from a loop that serves others.
//
// Thread: any. Outlives the key pool's executor.
class ResourceManager {
 public:
  struct Parts {
    const model::Registry& registry;
    store::Store& store;
    security::KeyPool& keys;
    PendingSecrets& pending;
    const Clock& clock;
  };
  ResourceManager(const Parts& parts, Options options);

  absl::StatusOr<model::ResourcePtr> create(model::Resource resource);
  // meta.version is that of the resource which was read and changed; a newer one in the store is Aborted.
  absl::StatusOr<model::ResourcePtr> update(model::Resource resource);
  absl::Status remove(const model::ResourceType& type, const model::ResourceKey& key);

  // Reads, lets `change` set the spec, and writes; again (up to ten times) when another writer came in between. For a
  // resource that does not exist `change` gets one with an empty spec and version 0. Its error ends it and is returned.
  using Change = std::function<absl::Status(model::Resource& resource)>;
  absl::StatusOr<model::ResourcePtr> upsert(const model::ResourceType& type, const model::ResourceKey& key,
                                            const Change& change);

  // What the start of a control plane needs of it; see initial_resources.h.
  Secrets& secrets() { return secrets_; }
  MeshSetup& mesh_setup() { return mesh_setup_; }

 private:
  absl::StatusOr<model::ResourcePtr> create_mesh(model::Resource mesh);
  absl::StatusOr<model::ResourcePtr> update_mesh(model::Resource mesh);
  absl::Status prepare(model::Resource& resource, bool on_create) const;
  absl::Status prepare_mesh(model::Resource& mesh) const;
  absl::Status prepare_dataplane(model::Resource& dataplane, bool on_create) const;
  absl::Status check_deletion(const model::ResourceType& type, const model::ResourceKey& key) const;

  const model::Registry& registry_;
  store::Store& store_;
  security::KeyPool& keys_;
  const Clock& clock_;
  const Options options_;
  Secrets secrets_;
  MeshSetup mesh_setup_;
};

}  // namespace kuma::manager
