#include "manager/resource_manager.h"

#include "base/status.h"
#include "base/violations.h"
#include "manager/checks.h"
#include "manager/errors.h"
#include "manager/mesh_authorities.h"
#include "manager/mesh_defaults.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"

namespace kuma::manager {
namespace {

namespace v1alpha1 = kuma::mesh::v1alpha1;

constexpr int kUpsertTries = 10;

// Who goes with whom (spec/resources.md §7).
struct OwnerRule {
  std::string_view type;
  std::string_view owner;  // of the same key; empty: nobody
};
constexpr OwnerRule kOwnerRules[] = {
    {"Dataplane", ""},
    {"ExternalService", ""},
    {"RateLimit", ""},
    {"Secret", ""},
    {"DataplaneInsight", "Dataplane"},
    {"MeshInsight", "Mesh"},
    {"ZoneEgressInsight", "ZoneEgress"},
    {"ZoneIngressInsight", "ZoneIngress"},
    {"ZoneInsight", "Zone"},
};

model::Owner owner_of(const model::ResourceType& type, const model::ResourceKey& key) {
  for (const OwnerRule& rule : kOwnerRules) {
    if (rule.type == type.name) {
      return rule.owner.empty() ? model::Owner{} : model::Owner{std::string(rule.owner), key};
    }
  }
  return type.scope == model::Scope::Mesh ? model::Owner{"Mesh", {"", key.mesh}} : model::Owner{};
}

absl::Status validate(const model::Resource& resource) {
  Violations violations;
  if (resource.type->validate != nullptr) {
    resource.type->validate(resource, violations);
  }
  return violations.to_status();
}

template <typename T>
std::shared_ptr<T> copy_spec(const model::Resource& resource) {
  return std::make_shared<T>(resource.as<T>());
}

const std::string& enabled_backend(const model::Resource& mesh) {
  return mesh.as<v1alpha1::Mesh>().mtls().enabledbackend();
}

model::Resource empty_resource(const model::ResourceType& type, const model::ResourceKey& key) {
  model::Resource resource;
  resource.type = &type;
  resource.meta.mesh = key.mesh;
  resource.meta.name = key.name;
  if (type.prototype != nullptr) {
    resource.message.reset(type.prototype->New());
  } else {
    resource.spec = json::object();
  }
  return resource;
}

}  // namespace

ResourceManager::ResourceManager(const Parts& parts, Options options)
    : registry_(parts.registry),
      store_(parts.store),
      keys_(parts.keys),
      clock_(parts.clock),
      options_(std::move(options)),
      secrets_(parts.registry, parts.store),
      mesh_setup_({parts.registry, parts.store, secrets_, parts.keys, parts.pending, parts.clock}) {}

absl::StatusOr<model::ResourcePtr> ResourceManager::create(model::Resource resource) {
  if (resource.type->name == "Mesh") {
    return create_mesh(std::move(resource));
  }
  KUMA_RETURN_IF_ERROR(prepare(resource, true));
  if (resource.owner.type.empty()) {
    resource.owner = owner_of(*resource.type, resource.meta.key());
  }
  const model::Owner owner = resource.owner;
  auto created = store_.create(std::move(resource));
  // The store names the owner that is not there; clients know a missing mesh by words of its own.
  if (absl::IsNotFound(created.status()) && owner.type == "Mesh") {
    return missing_mesh(owner.key.name);
  }
  return created;
}

absl::StatusOr<model::ResourcePtr> ResourceManager::update(model::Resource resource) {
  if (resource.type->name == "Mesh") {
    return update_mesh(std::move(resource));
  }
  KUMA_RETURN_IF_ERROR(prepare(resource, false));
  return store_.update(std::move(resource));
}

absl::Status ResourceManager::remove(const model::ResourceType& type, const model::ResourceKey& key) {
  if (!options_.unsafe_delete) {
    KUMA_RETURN_IF_ERROR(check_deletion(type, key));
  }
  KUMA_RETURN_IF_ERROR(store_.remove(type, key));
  if (type.name == "Mesh") {
    mesh_setup_.forget(key.name);
  }
  return absl::OkStatus();
}

absl::StatusOr<model::ResourcePtr> ResourceManager::upsert(const model::ResourceType& type, const model::ResourceKey& key,
                                                           const Change& change) {
  absl::StatusOr<model::ResourcePtr> written;
  for (int i = 0; i < kUpsertTries; ++i) {
    const auto stored = store_.get(type, key);
    if (!stored.ok() && !absl::IsNotFound(stored.status())) {
      return stored;
    }
    model::Resource resource = stored.ok() ? **stored : empty_resource(type, key);
    KUMA_RETURN_IF_ERROR(change(resource));
    written = stored.ok() ? update(std::move(resource)) : create(std::move(resource));
    if (!absl::IsAborted(written.status()) && !absl::IsAlreadyExists(written.status())) {
      return written;
    }
  }
  return written;
}

absl::StatusOr<model::ResourcePtr> ResourceManager::create_mesh(model::Resource mesh) {
  KUMA_RETURN_IF_ERROR(prepare_mesh(mesh));
  Violations violations;
  check_authorities(mesh, secrets_, violations);
  KUMA_RETURN_IF_ERROR(violations.to_status());
  return mesh_setup_.create(std::move(mesh));
}

absl::StatusOr<model::ResourcePtr> ResourceManager::update_mesh(model::Resource mesh) {
  KUMA_RETURN_IF_ERROR(prepare_mesh(mesh));
  KUMA_ASSIGN_OR_RETURN(const model::ResourcePtr before, store_.get(*mesh.type, mesh.meta.key()));
  Violations violations;
  const std::string& old_backend = enabled_backend(*before);
  const std::string& new_backend = enabled_backend(mesh);
  if (!old_backend.empty() && !new_backend.empty() && old_backend != new_backend) {
    violations.add("mtls.enabledBackend",
                   "Changing CA when mTLS is enabled is forbidden. Disable mTLS first and then change the CA");
  } else {
    check_authorities(mesh, secrets_, violations);
  }
  KUMA_RETURN_IF_ERROR(violations.to_status());
  KUMA_RETURN_IF_ERROR(ensure_authorities(mesh, secrets_, keys_, clock_));
  return store_.update(std::move(mesh));
}

absl::Status ResourceManager::prepare(model::Resource& resource, bool on_create) const {
  const std::string_view type = resource.type->name;
  if (type == "Dataplane") {
    return prepare_dataplane(resource, on_create);
  }
  KUMA_RETURN_IF_ERROR(validate(resource));
  if (type == "RateLimit") {
    return check_rate_limit(resource, registry_, store_);
  }
  if (type == "ExternalService") {
    return check_external_service(resource, registry_, store_);
  }
  return absl::OkStatus();
}

absl::Status ResourceManager::prepare_mesh(model::Resource& mesh) const {
  KUMA_RETURN_IF_ERROR(validate(mesh));
  auto spec = copy_spec<v1alpha1::Mesh>(mesh);
  set_mesh_defaults(*spec);
  mesh.message = std::move(spec);
  return absl::OkStatus();
}

absl::Status ResourceManager::prepare_dataplane(model::Resource& dataplane, bool on_create) const {
  KUMA_RETURN_IF_ERROR(validate(dataplane));
  const auto mesh = store_.get(*registry_.find("Mesh"), {"", dataplane.meta.mesh});
  if (!mesh.ok()) {
    return absl::IsNotFound(mesh.status()) ? missing_mesh(dataplane.meta.mesh) : mesh.status();
  }
  auto spec = copy_spec<v1alpha1::Dataplane>(dataplane);
  set_dataplane_defaults(*spec, options_.zone_name, on_create);
  KUMA_RETURN_IF_ERROR(check_membership(*spec, dataplane.meta.mesh, (*mesh)->as<v1alpha1::Mesh>()));
  dataplane.message = std::move(spec);
  return absl::OkStatus();
}

absl::Status ResourceManager::check_deletion(const model::ResourceType& type, const model::ResourceKey& key) const {
  if (type.name == "Mesh") {
    return check_mesh_deletion(key.name, registry_, store_);
  }
  if (type.name == "Zone") {
    return check_zone_deletion(key.name, registry_, store_);
  }
  // A zone gets its secrets from the global, which has checked.
  if (type.name == "Secret" && options_.mode != Mode::Zone) {
    return check_secret_deletion(key, registry_, store_);
  }
  return absl::OkStatus();
}

}  // namespace kuma::manager
