#include "xds/server/snapshot.h"

#include <algorithm>

#include "base/text.h"

namespace kuma::xds {

const WireResourcePtr* TypeSnapshot::find(std::string_view name) const {
  const auto found = std::lower_bound(resources.begin(), resources.end(), name,
                                      [](const WireResourcePtr& resource, std::string_view n) { return resource->name < n; });
  return found != resources.end() && (*found)->name == name ? &*found : nullptr;
}

std::string make_version(const std::vector<WireResourcePtr>& resources) {
  if (resources.empty()) {
    return "";
  }
  std::string text;
  text.reserve(resources.size() * 64);
  for (const WireResourcePtr& resource : resources) {
    text += resource->name;
    text += '\0';
    text += resource->version;
    text += '\0';
  }
  return sha256_hex(text).substr(0, 32);
}

TypeSnapshot make_type_snapshot(std::vector<WireResourcePtr> resources) {
  TypeSnapshot snapshot;
  std::sort(resources.begin(), resources.end(), [](const auto& a, const auto& b) { return a->name < b->name; });
  snapshot.version = make_version(resources);
  snapshot.resources = std::move(resources);
  return snapshot;
}

}  // namespace kuma::xds
