#pragma once

#include <optional>

#include "mesh/v1alpha1/dataplane.pb.h"
#include "mesh/v1alpha1/mesh.pb.h"
#include "mesh/v1alpha1/metrics.pb.h"

namespace kuma::xds {

// How a dataplane offers its metrics to Prometheus: the mesh's enabled backend with the dataplane's own settings over it
// (spec/policy-observability.md §3.3); nothing: they are not offered.
std::optional<mesh::v1alpha1::PrometheusMetricsBackendConfig> metrics_settings(const mesh::v1alpha1::Mesh& mesh,
                                                                               const mesh::v1alpha1::Dataplane& dataplane);

}  // namespace kuma::xds
