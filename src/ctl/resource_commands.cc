#include "ctl/resource_commands.h"

#include <charconv>
#include <map>
#include <set>

#include "fmt/ranges.h"

namespace kuma::ctl {
namespace {

const json::value* at(const json::value& value, std::initializer_list<std::string_view> path) {
  const json::value* current = &value;
  for (const std::string_view member : path) {
    current = find(*current, member);
    if (current == nullptr) {
      return nullptr;
    }
  }
  return current;
}

void collect(const json::value* tags, std::map<std::string, std::set<std::string>>& into) {
  if (tags == nullptr || !tags->is_object()) {
    return;
  }
  for (const auto& [key, value] : tags->get_object()) {
    if (value.is_string()) {
      into[std::string(key)].insert(std::string(value.get_string()));
    }
  }
}

std::string print(const std::map<std::string, std::set<std::string>>& tags) {
  std::string out;
  for (const auto& [key, values] : tags) {
    out += fmt::format("{}{}={}", out.empty() ? "" : " ", key, fmt::join(values, ","));
  }
  return out;
}

}  // namespace

std::string collection_path(const model::ResourceType& type, const std::string& mesh) {
  return type.scope == model::Scope::Mesh ? fmt::format("/meshes/{}/{}", path_segment(mesh), type.path) : fmt::format("/{}", type.path);
}

std::string item_path(const model::ResourceType& type, const std::string& mesh, const std::string& name) {
  return fmt::format("{}/{}", collection_path(type, mesh), path_segment(name));
}

std::string text_at(const json::value& value, std::initializer_list<std::string_view> path) {
  const json::value* found = at(value, path);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
}

uint64_t number_at(const json::value& value, std::initializer_list<std::string_view> path) {
  const json::value* found = at(value, path);
  if (found == nullptr) {
    return 0;
  }
  if (const json::string* text = found->if_string()) {
    uint64_t number = 0;
    std::from_chars(text->data(), text->data() + text->size(), number);
    return number;
  }
  json::error_code error;
  const auto number = found->to_number<uint64_t>(error);
  return error ? 0 : number;
}

const json::array& list_at(const json::value& value, std::initializer_list<std::string_view> path) {
  static const json::array kNone;
  const json::value* found = at(value, path);
  return found != nullptr && found->is_array() ? found->get_array() : kNone;
}

std::string dataplane_tags(const json::value& dataplane) {
  std::map<std::string, std::set<std::string>> tags;
  for (const json::value& inbound : list_at(dataplane, {"networking", "inbound"})) {
    collect(find(inbound, "tags"), tags);
  }
  collect(at(dataplane, {"networking", "gateway", "tags"}), tags);
  return print(tags);
}

std::string resource_yaml(const json::value& resource) {
  const json::value ordered = sorted(resource);
  if (!ordered.is_object()) {
    return kuma::to_yaml(ordered);  // what a peer should not answer is shown as it is
  }
  json::object metadata;
  json::object rest;
  for (const auto& [key, member] : ordered.get_object()) {
    const bool is_metadata = key == "creationTime" || key == "mesh" || key == "modificationTime" || key == "name" || key == "type";
    (is_metadata ? metadata : rest).emplace(key, member);
  }
  for (const auto& [key, member] : rest) {
    metadata.emplace(key, member);
  }
  return kuma::to_yaml(metadata);
}

std::string tags_text(const json::value& value) {
  std::map<std::string, std::set<std::string>> tags;
  collect(&value, tags);
  return print(tags);
}

}  // namespace kuma::ctl
