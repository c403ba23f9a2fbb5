#pragma once

#include <string>
#include <vector>

#include "net/grpc.h"
#include "xds/gen/resource.h"

namespace kuma::xds {

// A DiscoveryResponse around resources that are already in wire form: a small head of its own, then the shared bytes.
net::GrpcMessage response(XdsType type, const std::string& version, const std::string& nonce, const std::string& control_plane_id,
                          const std::vector<WireResourcePtr>& resources);

// The same as a DeltaDiscoveryResponse.
net::GrpcMessage delta_response(XdsType type, const std::string& version, const std::string& nonce,
                                const std::string& control_plane_id, const std::vector<WireResourcePtr>& changed,
                                const std::vector<std::string>& removed);

}  // namespace kuma::xds
