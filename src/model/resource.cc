#include "model/resource.h"

#include "fmt/format.h"

namespace kuma::model {

std::string describe(const ResourceType& type, const ResourceKey& key) {
  return fmt::format("type=\"{}\" name=\"{}\" mesh=\"{}\"", type.name, key.name, key.mesh);
}

Resource make_resource(const ResourceType& type, ResourceKey key, std::unique_ptr<google::protobuf::Message> spec) {
  Resource resource;
  resource.type = &type;
  resource.meta.mesh = std::move(key.mesh);
  resource.meta.name = std::move(key.name);
  resource.message = std::move(spec);
  return resource;
}

}  // namespace kuma::model
