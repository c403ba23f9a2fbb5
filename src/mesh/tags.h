#pragma once

#include <map>
#include <string>
#include <string_view>

namespace kuma::mesh {

// Tags of an inbound, an outbound, an endpoint: sorted, so that whatever is made of them is the same each time.
using Tags = std::map<std::string, std::string, std::less<>>;

inline constexpr std::string_view kServiceTag = "kuma.io/service";
inline constexpr std::string_view kProtocolTag = "kuma.io/protocol";
inline constexpr std::string_view kZoneTag = "kuma.io/zone";
inline constexpr std::string_view kMeshTag = "kuma.io/mesh";

// The value of a tag; empty when there is no such tag.
inline std::string_view tag(const Tags& tags, std::string_view key) {
  auto found = tags.find(key);
  return found == tags.end() ? std::string_view() : std::string_view(found->second);
}

// Copies protobuf's unordered map into a sorted one.
template <typename ProtoMap>
Tags to_tags(const ProtoMap& map) {
  return Tags(map.begin(), map.end());
}

}  // namespace kuma::mesh
