#include "base/version.h"

#include <charconv>
#include <optional>

namespace kuma {
namespace {

struct Version {
  unsigned major = 0;
  unsigned minor = 0;
};

// Nothing for `unknown` and previews such as `0.0.0-preview.1`.
std::optional<Version> parse_version(std::string_view text) {
  Version version;
  const char* end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, version.major);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') {
    return std::nullopt;
  }
  const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
  if (minor.ec != std::errc() || text.find("preview") != std::string_view::npos) {
    return std::nullopt;
  }
  return version;
}

}  // namespace

bool compatible_versions(std::string_view control_plane, std::string_view peer) {
  const auto ours = parse_version(control_plane);
  const auto theirs = parse_version(peer);
  if (!ours || !theirs) {
    return true;
  }
  return ours->major == theirs->major && theirs->minor + 2 >= ours->minor && theirs->minor <= ours->minor + 2;
}

}  // namespace kuma
