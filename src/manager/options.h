#pragma once

#include <chrono>
#include <string>

namespace kuma::manager {

enum class Mode { Standalone, Global, Zone };

struct Options {
  Mode mode = Mode::Standalone;
  // multizone.zone.name: dataplanes get it as their tag kuma.io/zone. May be set in standalone too.
  std::string zone_name{};
  // store.unsafeDelete: meshes with dataplanes, zones that are online and secrets in use can be deleted.
  bool unsafe_delete = false;
  // defaults.skipMeshCreation, defaults.skipTenantResources
  bool skip_mesh_creation = false;
  bool skip_tenant_resources = false;
  // apiServer.authn.type is `tokens`: the user signing key is made at start, and with it the administrator's token.
  bool user_tokens = true;
  bool bootstrap_admin_token = true;
};

}  // namespace kuma::manager
