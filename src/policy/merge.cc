#include "policy/merge.h"

namespace kuma::policy {
namespace {

bool appends(std::string_view name) { return name.starts_with("append") || name.starts_with("Append"); }

void merge_into(json::value& target, const json::value& patch);

void merge_member(json::value& target, std::string_view name, const json::value& patch) {
  if (appends(name) && target.is_array() && patch.is_array()) {
    for (const json::value& element : patch.get_array()) {
      target.get_array().push_back(element);
    }
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
  for (const json::value* conf : confs.subspan(1)) {
    merge_into(merged, *conf);
  }
  return merged;
}

}  // namespace kuma::policy
