#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "envoy/config/core/v3/base.pb.h"
#include "mesh/v1alpha1/dataplane_insight.pb.h"
#include "model/resource.h"
#include "xds/gen/generator.h"

namespace kuma::xds {

// Who a proxy says it is, and what it says of itself (spec/xds-server.md §3).
struct Node {
  std::string id;            // "<mesh>.<name>"
  model::ResourceKey key;
  ProxyMetadata metadata;
  std::optional<model::Resource> resource;  // the resource it brings along, decoded and valid
  std::string resource_problem;             // why what it brought can't be read and is ignored; empty when nothing is wrong
  std::string resource_violations;          // why what it brought can't be stored; empty when it can
  ::kuma::mesh::v1alpha1::Version version;
};

// The key in a node id, split at the first dot. The messages are those of the reference.
absl::StatusOr<model::ResourceKey> parse_node_id(std::string_view id);

// Numbers in the metadata are texts; what can't be read counts as 0.
absl::StatusOr<Node> parse_node(const envoy::config::core::v3::Node& node, const model::Registry& registry);

// "Dataplane", "ZoneIngress", "ZoneEgress".
std::string_view resource_type_name(ProxyType type);

}  // namespace kuma::xds
