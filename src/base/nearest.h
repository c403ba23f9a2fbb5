#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kuma {

// The one of `known` that a mistyped name most likely means; empty when none is near.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

}  // namespace kuma
