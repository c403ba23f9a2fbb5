#include "base/nearest.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>

namespace kuma {
namespace {

// Insertions, deletions and substitutions that make one text of the other.
size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= left.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= right.size(); ++j) {
      const size_t substituted = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  constexpr size_t kNameMax = 200;  // longer than any; keeps the cost bounded
  std::string nearest;
  size_t distance_min = std::numeric_limits<size_t>::max();
  if (name.size() > kNameMax) {
    return nearest;
  }
  for (const std::string& candidate : known) {
    const size_t distance = edit_distance(name, candidate);
    if (distance < distance_min) {
      distance_min = distance;
      nearest = candidate;
    }
  }
  const size_t distance_max = std::max<size_t>(2, name.size() / 4);
  return distance_min <= distance_max ? nearest : std::string();
}

}  // namespace kuma
