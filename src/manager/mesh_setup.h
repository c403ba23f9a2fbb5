#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "manager/pending_secrets.h"
#include "manager/secrets.h"
#include "security/key_pool.h"
#include "store/store.h"

namespace kuma::manager {

// Creates meshes with all that comes with them: default policies, the secrets of builtin authorities, the key that signs
// dataplane tokens (spec/resources.md §6.2).
//
// A store has no transactions over several resources, so a creation is begun by writing a Config `mesh-setup-<mesh>` and
// ended by removing it. One that a crash or a full disk interrupted is found by it and completed; a mesh without it is
// complete, and what a user deletes of it is never made again.
//
// Thread: any. Outlives the key pool's executor.
class MeshSetup {
 public:
  struct Parts {
    const model::Registry& registry;
    store::Store& store;
    Secrets& secrets;
    security::KeyPool& keys;
    PendingSecrets& pending;
    const Clock& clock;
  };
  explicit MeshSetup(const Parts& parts) : parts_(parts) {}

  // Stores a validated mesh and everything with it. Makes keys here when the pool has none. When it fails after the mesh
  // itself has been stored, the mesh stays, and complete_unfinished() does the rest.
  absl::StatusOr<model::ResourcePtr> create(model::Resource mesh);
  // The same, but the token signing key follows in the background: for the first start, which is not to wait.
  absl::StatusOr<model::ResourcePtr> create_quickly(model::Resource mesh);

  // Completes every creation that was interrupted; signing keys follow in the background.
  absl::Status complete_unfinished();
  // A mesh is gone, and so is what was left to do for it.
  void forget(const std::string& mesh);

 private:
  enum class SigningKey { Now, Later };

  absl::StatusOr<model::ResourcePtr> create(model::Resource mesh, SigningKey signing_key);
  absl::Status complete(const model::Resource& mesh, SigningKey signing_key);
  absl::Status ensure_signing_key(const std::string& mesh);
  void make_signing_key_later(const std::string& mesh);
  absl::Status store_signing_key(const std::string& mesh, const security::PrivateKey& key);
  absl::Status finish(const std::string& mesh);

  bool begin_work(const std::string& mesh);
  void end_work(const std::string& mesh);

  const Parts parts_;
  std::mutex busy_mutex_;  // guards busy_
  // Meshes whose creation is under way, so that complete_unfinished() does not take them for interrupted ones.
  std::set<std::string> busy_;
};

}  // namespace kuma::manager
