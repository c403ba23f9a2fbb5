#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "model/json_schema.h"
#include "model/resource.h"
#include "model/resource_type.h"
#include "system/v1alpha1/config.pb.h"

namespace kuma::store {

// For the tests and benchmarks of stores: a handful of types whose spec is a text, so that stores are tested rather
// than resources, and one whose spec is JSON.
class TestTypes {
 public:
  explicit TestTypes(bool with_policies = true) : registry_(make(with_policies)) {}

  const model::Registry& registry() const { return registry_; }
  const model::ResourceType& type(std::string_view name) const { return *registry_.find(name); }

  model::Resource make(std::string_view type_name, model::ResourceKey key, std::string text = "",
                       model::Owner owner = {}) const {
    model::Resource resource;
    resource.type = &type(type_name);
    resource.meta.mesh = std::move(key.mesh);
    resource.meta.name = std::move(key.name);
    resource.owner = std::move(owner);
    if (resource.type->is_target_ref) {
      resource.spec = json::object{{"text", json::string(text)}};
    } else {
      auto message = std::make_shared<system::v1alpha1::Config>();
      message->set_config(std::move(text));
      resource.message = std::move(message);
    }
    return resource;
  }
  model::Resource mesh(std::string name, std::string text = "") const {
    return make("Mesh", {"", std::move(name)}, std::move(text));
  }
  // Owned by its mesh.
  model::Resource policy(const std::string& mesh_name, std::string name, std::string text = "") const {
    return make("MeshTimeout", {mesh_name, std::move(name)}, std::move(text), {"Mesh", {"", mesh_name}});
  }
  model::Resource dataplane(std::string mesh_name, std::string name, std::string text = "") const {
    return make("Dataplane", {std::move(mesh_name), std::move(name)}, std::move(text));
  }
  // Owned by its dataplane.
  model::Resource insight(const std::string& mesh_name, const std::string& name, std::string text = "") const {
    return make("DataplaneInsight", {mesh_name, name}, std::move(text), {"Dataplane", {mesh_name, name}});
  }

  static std::string text_of(const model::Resource& resource) {
    if (!resource.type->is_target_ref) {
      return resource.as<system::v1alpha1::Config>().config();
    }
    const json::value* text = find(resource.spec, "text");
    return text != nullptr && text->is_string() ? std::string(text->get_string()) : "";
  }

 private:
  static model::Registry make(bool with_policies) {
    static const model::JsonSchema schema = model::object({{"text", model::string()}});
    const google::protobuf::Message* text = &system::v1alpha1::Config::default_instance();
    std::vector<model::ResourceType> types(with_policies ? 5 : 4);
    types[0].name = "Mesh";
    types[0].scope = model::Scope::Global;
    types[1].name = "Dataplane";
    types[2].name = "DataplaneInsight";
    types[3].name = "Secret";
    for (model::ResourceType& type : types) {
      type.prototype = text;
    }
    if (with_policies) {
      types[4].name = "MeshTimeout";
      types[4].is_target_ref = true;
      types[4].prototype = nullptr;
      types[4].schema = &schema;
    }
    return model::Registry(std::move(types));
  }

  model::Registry registry_;
};

// A folder that goes away with the test.
class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "kuma-store-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace kuma::store
