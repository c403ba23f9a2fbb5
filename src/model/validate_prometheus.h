#pragma once

#include "base/violations.h"
#include "mesh/v1alpha1/metrics.pb.h"

namespace kuma::model {

// A metrics backend of a Mesh or of a Dataplane, at `path`.
void validate_metrics_backend(const ::kuma::mesh::v1alpha1::MetricsBackend& backend, const FieldPath& path, Violations& violations);

}  // namespace kuma::model
