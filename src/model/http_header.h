#pragma once

#include <algorithm>
#include <string_view>

namespace kuma::model {

// What Envoy takes for headers: it refuses a whole configuration for one that is none.

// A token of RFC 9110 §5.6.2, with a colon in front for pseudo headers.
inline bool is_header_name(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_|~`";
  if (text.starts_with(':')) {
    text.remove_prefix(1);
  }
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kMarks.find(c) != std::string_view::npos;
  });
}

inline bool is_header_value(std::string_view text) {
  constexpr std::string_view kForbidden("\0\r\n", 3);
  return text.find_first_of(kForbidden) == std::string_view::npos;
}

inline constexpr char kNoHeaderName[] = "must be the name of a header: letters, digits and !#$%&'*+-.^_|~`";
inline constexpr char kNoHeaderValue[] = "must not have line breaks";

}  // namespace kuma::model
