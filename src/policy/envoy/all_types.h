#pragma once

#include "model/envoy_types.h"

namespace kuma::policy::envoy {

// Every message of Envoy's API by descriptor (model/envoy_types.h).
inline const google::protobuf::DescriptorPool& all_types() { return model::envoy_types(); }
inline const google::protobuf::Descriptor* find_type(std::string_view type_url) { return model::find_envoy_type(type_url); }

}  // namespace kuma::policy::envoy
