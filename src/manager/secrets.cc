#include "manager/secrets.h"

#include "base/status.h"
#include "manager/names.h"
#include "system/v1alpha1/config.pb.h"
#include "system/v1alpha1/secret.pb.h"

namespace kuma::manager {
namespace {

std::unique_ptr<system::v1alpha1::Secret> secret_of(std::string data) {
  auto secret = std::make_unique<system::v1alpha1::Secret>();
  secret->mutable_data()->set_value(std::move(data));
  return secret;
}

std::vector<std::string> names_of(const store::Store& store, const model::ResourceType& type, const std::string& mesh,
                                  std::string_view prefix) {
  store::ListQuery query;
  query.type = &type;
  query.mesh = mesh;
  query.name_contains = prefix;
  query.filter = [prefix](const model::Resource& resource) { return resource.meta.name.starts_with(prefix); };
  std::vector<std::string> names;
  for (const model::ResourcePtr& resource : store.list(query).items) {
    names.push_back(resource->meta.name);
  }
  return names;
}

}  // namespace

Secrets::Secrets(const model::Registry& registry, store::Store& store)
    : secret_(*registry.find("Secret")),
      global_secret_(*registry.find("GlobalSecret")),
      config_(*registry.find("Config")),
      store_(store) {}

absl::StatusOr<std::string> Secrets::get(const model::ResourceKey& key) const {
  KUMA_ASSIGN_OR_RETURN(const model::ResourcePtr found, store_.get(type_of(key), key));
  return found->as<system::v1alpha1::Secret>().data().value();
}

bool Secrets::exists(const model::ResourceKey& key) const { return store_.get(type_of(key), key).ok(); }

std::vector<std::string> Secrets::names(const std::string& mesh, std::string_view prefix) const {
  return names_of(store_, mesh.empty() ? global_secret_ : secret_, mesh, prefix);
}

absl::Status Secrets::create(const model::ResourceKey& key, std::string data) {
  model::Resource resource = model::make_resource(type_of(key), key, secret_of(std::move(data)));
  if (!key.mesh.empty()) {
    resource.owner = {"Mesh", {"", key.mesh}};
  }
  return store_.create(std::move(resource)).status();
}

absl::Status Secrets::replace(const model::ResourceKey& key, std::string data) {
  KUMA_ASSIGN_OR_RETURN(const model::ResourcePtr found, store_.get(type_of(key), key));
  model::Resource resource = *found;
  resource.message = secret_of(std::move(data));
  return store_.update(std::move(resource)).status();
}

absl::StatusOr<std::string> Secrets::get_config(std::string_view name) const {
  KUMA_ASSIGN_OR_RETURN(const model::ResourcePtr found, store_.get(config_, {"", std::string(name)}));
  return found->as<system::v1alpha1::Config>().config();
}

std::vector<std::string> Secrets::config_names(std::string_view prefix) const {
  return names_of(store_, config_, "", prefix);
}

absl::Status Secrets::create_config(std::string_view name, std::string value) {
  auto config = std::make_unique<system::v1alpha1::Config>();
  config->set_config(std::move(value));
  return store_.create(model::make_resource(config_, {"", std::string(name)}, std::move(config))).status();
}

absl::Status Secrets::remove_config(std::string_view name) { return store_.remove(config_, {"", std::string(name)}); }

std::string find_cluster_id(const Secrets& secrets) {
  return secrets.get_config(kClusterId).value_or(std::string());
}

}  // namespace kuma::manager
