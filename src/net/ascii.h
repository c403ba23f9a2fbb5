#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace kuma::net {

// ASCII without locale, for header names and tokens. (Debian's absl has a string_view of its own, so its helpers do not
// take ours.)
inline char lower_char(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

inline std::string lower_case(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), lower_char);
  return result;
}

inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower_char, lower_char);
}

}  // namespace kuma::net
