#include "policy/envoy/client_tags.h"

#include <string_view>

#include "fmt/format.h"
#include "policy/envoy/deprecated.h"
#include "policy/envoy/names.h"

namespace kuma::policy::envoy {
namespace {

// Values that may be written are letters, digits, `.`, `-` and `_`; what came by another way must not become a pattern.
std::string escape(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) {
      out += '\\';
    }
    out += c;
  }
  return out;
}
constexpr std::string_view kSpecialInKeys = R"(\+*?()[]{}|^$)";
constexpr std::string_view kSpecialInValues = R"(.\+*?()[]{}|^$)";

}  // namespace

std::string client_tags_regex(const mesh::Tags& tags) {
  std::string regex = ".*";
  for (const auto& [key, value] : tags) {
    const std::string name = escape(key, kSpecialInKeys);
    regex += value == "*" ? fmt::format("&{}=.*", name)
                          : fmt::format("&{}=[^&]*{}[,&].*", name, escape(value, kSpecialInValues));
  }
  return regex;
}

std::string any_client_tags_regex(const std::vector<mesh::Tags>& tag_sets) {
  std::vector<std::string> all;
  for (const mesh::Tags& tags : tag_sets) {
    all.push_back(client_tags_regex(tags));
  }
  return all.size() == 1 ? all.front() : fmt::format("({})", fmt::join(all, "|"));
}

void match_client_tags(const mesh::Tags& tags, bool inverted, ::envoy::config::route::v3::HeaderMatcher& header) {
  header.set_name(std::string(kTagsHeader));
  header.set_invert_match(inverted);
  set_regex(*header.mutable_string_match()->mutable_safe_regex(), client_tags_regex(tags));
}

void match_any_client_tags(const std::vector<mesh::Tags>& tag_sets, ::envoy::config::route::v3::HeaderMatcher& header) {
  header.set_name(std::string(kTagsHeader));
  set_header_regex(header, any_client_tags_regex(tag_sets));
}

}  // namespace kuma::policy::envoy
