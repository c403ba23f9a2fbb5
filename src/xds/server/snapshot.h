#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "xds/gen/resource.h"

namespace kuma::xds {

// All resources of one type that a proxy is to have, in order of name, and the version of the whole: a hash of the names
// and versions in it, so that equal sets have equal versions, also after a restart. Empty sets have the version "".
struct TypeSnapshot {
  std::vector<WireResourcePtr> resources;
  std::string version;

  const WireResourcePtr* find(std::string_view name) const;
};

// What one proxy is to have. Immutable; the resources themselves are shared with other proxies.
struct Snapshot {
  std::array<TypeSnapshot, kXdsTypeCount> types;

  const TypeSnapshot& of(XdsType type) const { return types[static_cast<size_t>(type)]; }
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

// The version of a set of resources in order of name.
std::string make_version(const std::vector<WireResourcePtr>& resources);

// Sorts the resources and computes the version.
TypeSnapshot make_type_snapshot(std::vector<WireResourcePtr> resources);

}  // namespace kuma::xds
