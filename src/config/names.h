#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kuma::config {

// The one of `known` that a mistyped name most likely means; empty when none is near.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

// The parts between separators, at least one.
std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace kuma::config
