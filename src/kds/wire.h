#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "model/resource.h"

// How a resource looks on the wire (spec/kds.md §5).
namespace kuma::kds {

inline constexpr std::string_view kKumaResourceUrl = "type.googleapis.com/kuma.mesh.v1alpha1.KumaResource";

// `<name>.<mesh>`, with the dot also for types without mesh: how removals name resources.
std::string to_wire_key(const model::ResourceKey& key);
// Splits at the last dot; without one, all of it is the name.
model::ResourceKey parse_wire_key(std::string_view text);

// A serialized KumaResource. Same resource, same bytes.
std::string encode_resource(const model::Resource& resource);
// Lower-case hex SHA-256 of those bytes.
std::string version_of(std::string_view encoded);

// InvalidArgument for what is no KumaResource of this type; names the resource where that is known. The name is the
// sender's.
absl::StatusOr<model::Resource> decode_resource(const model::ResourceType& type, const google::protobuf::Any& any);

// Of the beginning of a response of either protocol, cut anywhere: the largest resource that begins in it, by its type and name
// as the sender knows it, and its size; empty when none can be made out.
std::string describe_largest(std::string_view beginning);

}  // namespace kuma::kds
