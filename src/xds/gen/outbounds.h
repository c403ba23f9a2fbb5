#pragma once

#include <vector>

#include "mesh/mesh_view.h"
#include "policy/proxy_resources.h"

namespace kuma::xds {

class SharedPieces;

// What a dataplane's application reaches: VIPs that it may and wants to reach, when it is a transparent proxy, in the order of
// the mesh's table, then what its Dataplane says, but for addresses that are VIPs. `pieces` may be null.
std::vector<policy::ProxyOutbound> outbounds_of(const mesh::MeshView& view, const mesh::DataplaneView& dataplane,
                                                SharedPieces* pieces);

// Equal for equal VIP outbounds with equal names; within one process.
uint64_t vip_fingerprint(const mesh::MeshView& view, const mesh::DataplaneView& dataplane, SharedPieces* pieces);

}  // namespace kuma::xds
