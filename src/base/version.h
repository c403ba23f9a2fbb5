#pragma once

#include <string_view>

namespace kuma {

// What the programs say they are: the product and version that they stand in for.
inline constexpr std::string_view kProduct = "Kuma";
inline constexpr std::string_view kVersion = "2.5.11";
inline constexpr std::string_view kGitTag = "2.5.11";
inline constexpr std::string_view kGitCommit = "unknown";
inline constexpr std::string_view kBuildDate = "unknown";

}  // namespace kuma
