#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "xds/gen/resource.h"

namespace kuma::plan {

// One place at which two JSON values differ. Absent values are null.
struct Line {
  std::string path;    // "filterChains[0].filters[1].typedConfig.statPrefix"
  json::value before;
  json::value after;
  bool operator==(const Line&) const = default;
};

// All places, in order, at most `max` (`more` is set when there are others). Elements of lists are matched by what they
// hold: one that is put in at the front is one line, not a change of all that follow.
struct Lines {
  std::vector<Line> list;
  bool more = false;
};
Lines difference(const json::value& before, const json::value& after, size_t max);

// An Envoy resource as JSON, for people; null for null.
json::value to_json_value(const xds::WireResource* resource);

}  // namespace kuma::plan
