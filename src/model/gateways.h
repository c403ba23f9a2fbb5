#pragma once

#include "mesh/v1alpha1/dataplane.pb.h"

namespace kuma::model {

// Whether a dataplane is the Envoy of a gateway that is configured by a MeshGateway.
inline bool is_builtin_gateway(const ::kuma::mesh::v1alpha1::Dataplane& dataplane) {
  const auto& networking = dataplane.networking();
  return networking.has_gateway() &&
         networking.gateway().type() == ::kuma::mesh::v1alpha1::Dataplane::Networking::Gateway::BUILTIN;
}

}  // namespace kuma::model
