#include "kds/direction.h"

#include "manager/names.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"

namespace kuma::kds {
namespace {

using model::KdsDirection;

bool goes(KdsDirection direction, Side from) {
  switch (direction) {
    case KdsDirection::None:
      return false;
    case KdsDirection::GlobalToZone:
      return from == Side::Global;
    case KdsDirection::ZoneToGlobal:
      return from == Side::Zone;
    case KdsDirection::Both:
      return true;
  }
  return false;
}

}  // namespace

std::vector<const model::ResourceType*> provided_types(const model::Registry& registry, Side side) {
  std::vector<const model::ResourceType*> types;
  for (const model::ResourceType& type : registry.types()) {
    if (goes(type.kds, side)) {
      types.push_back(&type);
    }
  }
  return types;
}

std::vector<const model::ResourceType*> consumed_types(const model::Registry& registry, Side side) {
  return provided_types(registry, side == Side::Global ? Side::Zone : Side::Global);
}

bool is_in_scope(Side side, std::string_view zone, const model::Resource& stored) {
  const std::string_view name = stored.meta.name;
  if (side == Side::Global) {
    // Names of zones may have dots: what `eu.west` owns is not in the scope of `eu`.
    const bool of_another = stored.owner.type == "Zone" && stored.owner.key.name != zone;
    return name.size() > zone.size() && name.starts_with(zone) && name[zone.size()] == '.' && !of_another;
  }
  if (stored.type->name == "ZoneIngress") {
    const std::string_view owner = zone_of_ingress(stored);
    return !owner.empty() && owner != zone;
  }
  if (stored.type->name == "Config") {
    return name == manager::kClusterId;
  }
  if (stored.type->name == "GlobalSecret") {
    return name.starts_with(manager::kZoneIngressKeyPrefix) || name.starts_with(manager::kZonePublicKeyPrefix);
  }
  return true;
}

std::string_view zone_of_ingress(const model::Resource& resource) {
  return resource.type->name == "ZoneIngress" ? std::string_view(resource.as<mesh::v1alpha1::ZoneIngress>().zone()) : std::string_view();
}

}  // namespace kuma::kds
