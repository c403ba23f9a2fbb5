#pragma once

#include <vector>

#include "prometheus/metric_family.h"

namespace kuma::observe {

// What the operating system knows of this process, under the names that all Prometheus clients use. What cannot be read
// is left out.
std::vector<prometheus::MetricFamily> read_process_metrics();

}  // namespace kuma::observe
