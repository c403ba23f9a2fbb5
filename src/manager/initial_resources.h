#pragma once

#include "absl/status/status.h"
#include "manager/options.h"
#include "manager/pending_secrets.h"
#include "manager/resource_manager.h"
#include "security/key_pool.h"

namespace kuma::manager {

// What a control plane puts into its store when it starts, unless it is there (spec/resources.md §6.3): the id of the
// cluster, the mesh `default` with its policies, signing keys, the administrator's token, authorities of its own.
//
// Everything without an RSA key is there when ensure() returns; the keys follow in the background, in the order in which
// they are likely to be needed, and who needs one waits in PendingSecrets. Meshes whose creation was interrupted are
// completed.
//
// Thread: any. Outlives the key pool's executor.
class InitialResources {
 public:
  struct Parts {
    const model::Registry& registry;
    store::Store& store;
    ResourceManager& manager;
    security::KeyPool& keys;
    PendingSecrets& pending;
    const Clock& clock;
  };
  InitialResources(const Parts& parts, Options options);

  // Makes what is missing and not on its way. May be called again at any time: the program does so every few seconds until
  // complete(), in case the disk was full or the like. The error, already logged where it came later, is the first one.
  absl::Status ensure();

  // Everything is stored.
  bool complete() const;

 private:
  using Content = std::function<absl::StatusOr<std::string>(const security::PrivateKey&)>;

  absl::Status ensure_cluster_id();
  absl::Status ensure_default_mesh();
  void ensure_signing_key(std::string_view prefix);
  void ensure_secret(std::string_view name, Content content);
  void ensure_authority(std::string_view name, std::string_view common_name);
  absl::Status ensure_admin_token();
  absl::Status issue_admin_token();
  bool has_key(std::string_view prefix) const;

  bool makes_tenant_resources() const { return options_.mode != Mode::Zone && !options_.skip_tenant_resources; }
  bool makes_default_mesh() const { return makes_tenant_resources() && !options_.skip_mesh_creation; }
  bool makes_admin_ca() const { return options_.mode != Mode::Global && !options_.skip_tenant_resources; }
  bool makes_admin_token() const { return options_.user_tokens && options_.bootstrap_admin_token; }

  const Parts parts_;
  const Options options_;
  Secrets& secrets_;
};

}  // namespace kuma::manager
