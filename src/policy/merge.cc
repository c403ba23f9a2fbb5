#include "policy/merge.h"

#include <algorithm>

namespace kuma::policy {
namespace {

bool appends(std::string_view name) { return name.starts_with("append") || name.starts_with("Append"); }

void merge_into(json::value& target, const json::value& patch);

// Lists of this name are of things that happen to requests which match; the elements for equal `matches` are one.
constexpr std::string_view kByMatches = "Rules";

void merge_by_matches(json::array& target, const json::array& patch) {
  for (const json::value& element : patch) {
    const json::value* matches = find(element, "matches");
    const auto same = std::ranges::find_if(target, [&](const json::value& known) {
      const json::value* others = find(known, "matches");
      return matches != nullptr && others != nullptr && *others == *matches;
    });
    if (same == target.end()) {
      target.push_back(element);
    } else {
      merge_into(*same, element);
    }
  }
}

void merge_member(json::value& target, std::string_view name, const json::value& patch) {
  if (appends(name) && target.is_array() && patch.is_array()) {
    for (const json::value& element : patch.get_array()) {
      target.get_array().push_back(element);
    }
    return;
  }
  if (name == kByMatches && target.is_array() && patch.is_array()) {
    merge_by_matches(target.get_array(), patch.get_array());
    return;
  }
  merge_into(target, patch);
}

void merge_into(json::value& target, const json::value& patch) {
  if (!target.is_object() || !patch.is_object()) {
    target = patch;
    return;
  }
  json::object& members = target.get_object();
  for (const auto& entry : patch.get_object()) {
    if (json::value* known = members.if_contains(entry.key())) {
      merge_member(*known, entry.key(), entry.value());
    } else {
      members.emplace(entry.key(), entry.value());
    }
  }
}

}  // namespace

json::value merge_confs(std::span<const json::value* const> confs) {
  if (confs.empty()) {
    return json::object();
  }
  json::value merged = *confs.front();
  if (json::object* members = merged.if_object()) {
    if (json::value* rules = members->if_contains(kByMatches); rules != nullptr && rules->is_array()) {
      json::array unique;
      merge_by_matches(unique, rules->get_array());
      *rules = std::move(unique);
    }
  }
  for (const json::value* conf : confs.subspan(1)) {
    merge_into(merged, *conf);
  }
  return merged;
}

}  // namespace kuma::policy
