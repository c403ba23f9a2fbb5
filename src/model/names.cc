#include <algorithm>

#include "model/rest.h"

namespace kuma::model {
namespace {

constexpr size_t kNameSizeMax = 253;
constexpr const char* kStrictMessage =
    "invalid characters. A lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character";
constexpr const char* kLooseMessage =
    "invalid characters. Valid characters are numbers, lowercase latin letters and '-', '_', '.' symbols.";

bool is_lower_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// Labels of lower-case letters, digits and inner dashes, separated by dots.
bool is_strict(std::string_view name) {
  bool label_start = true;
  char last = '.';
  for (const char c : name) {
    if (c == '.') {
      if (label_start || last == '-') {
        return false;
      }
      label_start = true;
    } else if (c == '-') {
      if (label_start) {
        return false;
      }
    } else if (is_lower_alphanumeric(c)) {
      label_start = false;
    } else {
      return false;
    }
    last = c;
  }
  return !label_start && last != '-';
}

bool is_loose(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return is_lower_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

// Empty and too long are the same for names and meshes. True if something was found.
bool check_size(const char* field, std::string_view name, Violations& violations) {
  if (name.empty()) {
    violations.add(field, "cannot be empty");
    return true;
  }
  if (name.size() > kNameSizeMax) {
    violations.add(field, fmt::format("value length must less or equal {}", kNameSizeMax));
    return true;
  }
  return false;
}

}  // namespace

void validate_meta(const ResourceType& type, const ResourceMeta& meta, const MetaRules& rules, Violations& violations) {
  if (!rules.zone_name.empty() && rules.zone_name.size() + 1 + meta.name.size() >= kNameSizeMax) {
    violations.add("name", "the length of the name must be shorter");
  }
  if (!check_size("name", meta.name, violations) && !is_strict(meta.name)) {
    if (!rules.existing) {
      violations.add("name", kStrictMessage);
    } else if (!is_loose(meta.name)) {
      violations.add("name", kLooseMessage);
    }
  }
  if (type.scope == Scope::Mesh && !check_size("mesh", meta.mesh, violations) && !is_loose(meta.mesh)) {
    violations.add("mesh", kLooseMessage);
  }
}

}  // namespace kuma::model
