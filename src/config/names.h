#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kuma::config {

// The parts between separators, at least one.
std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace kuma::config
