#pragma once

#include <string_view>

#include "google/protobuf/descriptor.h"

namespace kuma::model {

// Every message of Envoy's API by descriptor, also those that our code is not compiled against: what users write into
// MeshProxyPatches and ProxyTemplates, and what an Envoy tells about itself, may have any of them.
//
// A file's descriptors are made when a type of it is first asked for, and stay. Any thread.
const google::protobuf::DescriptorPool& envoy_types();

// The type of an Any's type URL, "type.googleapis.com/envoy.config.cluster.v3.Cluster"; null: there is none.
const google::protobuf::Descriptor* find_envoy_type(std::string_view type_url);

}  // namespace kuma::model
