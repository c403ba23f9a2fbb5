#include "manager/mesh_setup.h"

#include "absl/cleanup/cleanup.h"
#include "base/log.h"
#include "base/status.h"
#include "manager/mesh_authorities.h"
#include "manager/mesh_defaults.h"
#include "manager/names.h"

namespace kuma::manager {
namespace {

std::string marker_of(std::string_view mesh) { return fmt::format("{}{}", kMeshSetupPrefix, mesh); }

model::ResourceKey signing_key_of(const std::string& mesh) { return {mesh, first_key(dataplane_key_prefix(mesh))}; }

}  // namespace

absl::StatusOr<model::ResourcePtr> MeshSetup::create(model::Resource mesh) {
  return create(std::move(mesh), SigningKey::Now);
}

absl::StatusOr<model::ResourcePtr> MeshSetup::create_quickly(model::Resource mesh) {
  return create(std::move(mesh), SigningKey::Later);
}

absl::StatusOr<model::ResourcePtr> MeshSetup::create(model::Resource mesh, SigningKey signing_key) {
  const std::string name = mesh.meta.name;
  if (!begin_work(name)) {
    return absl::AlreadyExistsError(
        fmt::format("resource already exists: {}", model::describe(*mesh.type, mesh.meta.key())));
  }
  const absl::Cleanup end = [&] { end_work(name); };
  // Looked up first, so that a second creation does not make the first one's mesh look unfinished.
  if (parts_.store.get(*mesh.type, mesh.meta.key()).ok()) {
    return absl::AlreadyExistsError(
        fmt::format("resource already exists: {}", model::describe(*mesh.type, mesh.meta.key())));
  }
  KUMA_RETURN_IF_ERROR(ignore_existing(parts_.secrets.create_config(marker_of(name), "")));
  auto stored = parts_.store.create(std::move(mesh));
  if (!stored.ok()) {
    forget(name);
    return stored;
  }
  KUMA_RETURN_IF_ERROR(annotate(complete(**stored, signing_key), "mesh {} is stored, but not all that comes with it", name));
  return stored;
}

absl::Status MeshSetup::complete(const model::Resource& mesh, SigningKey signing_key) {
  for (model::Resource& policy : default_policies(parts_.registry, mesh)) {
    KUMA_RETURN_IF_ERROR(ignore_existing(parts_.store.create(std::move(policy)).status()));
  }
  KUMA_RETURN_IF_ERROR(ensure_authorities(mesh, parts_.secrets, parts_.keys, parts_.clock));
  if (signing_key == SigningKey::Later) {
    make_signing_key_later(mesh.meta.name);
    return absl::OkStatus();
  }
  KUMA_RETURN_IF_ERROR(ensure_signing_key(mesh.meta.name));
  return finish(mesh.meta.name);
}

absl::Status MeshSetup::ensure_signing_key(const std::string& mesh) {
  if (!parts_.secrets.names(mesh, dataplane_key_prefix(mesh)).empty()) {
    return absl::OkStatus();
  }
  KUMA_ASSIGN_OR_RETURN(const security::PrivateKey key, parts_.keys.take());
  return store_signing_key(mesh, key);
}

void MeshSetup::make_signing_key_later(const std::string& mesh) {
  if (!parts_.pending.add(signing_key_of(mesh))) {
    return;
  }
  parts_.keys.take_async([this, mesh](absl::StatusOr<security::PrivateKey> key) {
    absl::Status status = key.ok() ? store_signing_key(mesh, *key) : key.status();
    if (status.ok()) {
      status = finish(mesh);
    }
    if (!status.ok() && !absl::IsNotFound(status)) {  // NotFound: the mesh has been deleted meanwhile
      make_logger("manager")->error("the signing key of mesh {} could not be made: {}", mesh, message_of(status));
    }
    parts_.pending.finish(signing_key_of(mesh));
  });
}

absl::Status MeshSetup::store_signing_key(const std::string& mesh, const security::PrivateKey& key) {
  if (!parts_.secrets.names(mesh, dataplane_key_prefix(mesh)).empty()) {
    return absl::OkStatus();
  }
  return ignore_existing(parts_.secrets.create(signing_key_of(mesh), key.to_pem()));
}

absl::Status MeshSetup::finish(const std::string& mesh) {
  const absl::Status status = parts_.secrets.remove_config(marker_of(mesh));
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status MeshSetup::complete_unfinished() {
  const model::ResourceType& mesh_type = *parts_.registry.find("Mesh");
  absl::Status first_error;
  for (const std::string& marker : parts_.secrets.config_names(kMeshSetupPrefix)) {
    const std::string name = marker.substr(kMeshSetupPrefix.size());
    if (!begin_work(name)) {
      continue;
    }
    const absl::Cleanup end = [&] { end_work(name); };
    const auto mesh = parts_.store.get(mesh_type, {"", name});
    // Without a mesh nothing came of it.
    const absl::Status status = mesh.ok() ? complete(**mesh, SigningKey::Later) : finish(name);
    if (!status.ok()) {
      make_logger("manager")->error("mesh {} could not be completed: {}", name, message_of(status));
      first_error.Update(status);
    }
  }
  return first_error;
}

void MeshSetup::forget(const std::string& mesh) {
  if (absl::Status status = finish(mesh); !status.ok()) {
    make_logger("manager")->error("mesh {} is gone, what was to be done for it is not: {}", mesh, message_of(status));
  }
}

bool MeshSetup::begin_work(const std::string& mesh) {
  const std::lock_guard lock(busy_mutex_);
  return busy_.insert(mesh).second;
}

void MeshSetup::end_work(const std::string& mesh) {
  const std::lock_guard lock(busy_mutex_);
  busy_.erase(mesh);
}

}  // namespace kuma::manager
