#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kuma::dp {

// Prometheus' text format, as far as kuma-dp changes it. Pure.

// Envoy's metrics as users of the mesh see them: clusters that were split into `<name>-<16 hex digits>` are one again
// (their samples summed), and samples of traffic in the mesh get the label kuma_io_mesh_traffic="true". InvalidArgument
// when the text cannot be read, or a sample of a cluster's family lacks the cluster's label.
absl::StatusOr<std::string> merge_envoy_clusters(std::string_view text);

// The answer of one target.
struct MetricsPart {
  std::string content_type;
  std::string body;
};
struct MetricsAnswer {
  std::string content_type;
  std::string body;
};
// All answers as one. Its type is the best of theirs; if none has a valid one, what the scraper's Accept header asks
// for.
MetricsAnswer combine_metrics(const std::vector<MetricsPart>& parts, std::string_view accept);

}  // namespace kuma::dp
