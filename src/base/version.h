#pragma once

#include <string_view>

namespace kuma {

// What the programs say they are: the product and version that they stand in for.
inline constexpr std::string_view kProduct = "Kuma";
inline constexpr std::string_view kVersion = "2.5.11";
inline constexpr std::string_view kGitTag = "2.5.11";
inline constexpr std::string_view kGitCommit = "unknown";
inline constexpr std::string_view kBuildDate = "unknown";

// Whether a control plane and a peer of its (a kuma-dp, a zone's control plane) may work together: the same major version, at
// most two minor ones apart. What is no version (`unknown`) or a preview passes (spec/kuma-dp.md §10, spec/kds.md).
bool compatible_versions(std::string_view control_plane, std::string_view peer);

}  // namespace kuma
