#include "policy/envoy/json_patch.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "base/text.h"

namespace kuma::policy::envoy {
namespace {

using Path = std::vector<std::string>;

std::string text_of(const json::value& object, std::string_view member) {
  const json::value* found = find(object, member);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

absl::StatusOr<Path> parse_pointer(std::string_view pointer) {
  Path path;
  if (pointer.empty()) {
    return path;
  }
  if (pointer.front() != '/') {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is no JSON pointer: it has to be empty or start with /", pointer));
  }
  for (size_t begin = 1; begin <= pointer.size();) {
    const size_t end = std::min(pointer.find('/', begin), pointer.size());
    path.push_back(absl::StrReplaceAll(to_absl(pointer.substr(begin, end - begin)), {{"~1", "/"}, {"~0", "~"}}));
    begin = end + 1;
  }
  return path;
}

absl::Status missing(std::string_view what, const std::string& step) {
  return absl::InvalidArgumentError(fmt::format("{}: there is no \"{}\"", what, step));
}

// Where an index points to in a list of `size`; nothing: nowhere.
std::optional<size_t> index_of(const std::string& step, size_t size) {
  int64_t index = 0;
  if (!absl::SimpleAtoi(step, &index)) {
    return std::nullopt;
  }
  index += index < 0 ? static_cast<int64_t>(size) : 0;
  return index < 0 ? std::nullopt : std::optional(static_cast<size_t>(index));
}

json::value* child_of(json::value& parent, const std::string& step) {
  if (json::object* object = parent.if_object()) {
    return object->if_contains(step);
  }
  if (json::array* array = parent.if_array()) {
    const auto index = index_of(step, array->size());
    return index && *index < array->size() ? &(*array)[*index] : nullptr;
  }
  return nullptr;
}

json::value* find_at(json::value& document, const Path& path, size_t length) {
  json::value* at = &document;
  for (size_t i = 0; i < length && at != nullptr; ++i) {
    at = child_of(*at, path[i]);
  }
  return at;
}

bool is_index(const std::string& step) {
  int64_t index = 0;
  return step == "-" || absl::SimpleAtoi(step, &index);
}

absl::Status insert(json::value& parent, const std::string& step, json::value value) {
  if (json::object* object = parent.if_object()) {
    (*object)[step] = std::move(value);
    return absl::OkStatus();
  }
  json::array* array = parent.if_array();
  if (array == nullptr) {
    return absl::InvalidArgumentError(fmt::format("add: \"{}\" can't be added to a value that is no object and no list", step));
  }
  // One more place than there are elements: behind the last.
  const auto index = step == "-" ? std::optional(array->size()) : index_of(step, array->size() + 1);
  if (!index || *index > array->size()) {
    return missing("add", step);
  }
  array->insert(array->begin() + *index, std::move(value));
  return absl::OkStatus();
}

// Makes the objects and lists on the way to the last step.
absl::StatusOr<json::value*> make_parent(json::value& document, const Path& path) {
  json::value* at = &document;
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    json::value* next = child_of(*at, path[i]);
    if (next != nullptr && !next->is_null()) {
      at = next;
      continue;
    }
    json::value made = is_index(path[i + 1]) ? json::value(json::array()) : json::value(json::object());
    if (json::array* array = at->if_array()) {
      const auto index = path[i] == "-" ? std::optional(array->size()) : index_of(path[i], array->size());
      if (!index || *index > kPatchIndexMax) {
        return missing("add", path[i]);
      }
      array->resize(std::max(array->size(), *index + 1));
      at = &((*array)[*index] = std::move(made));
    } else if (json::object* object = at->if_object()) {
      at = &((*object)[path[i]] = std::move(made));
    } else {
      return missing("add", path[i]);
    }
  }
  return at;
}

absl::Status add(json::value& document, const Path& path, json::value value) {
  if (path.empty()) {
    document = std::move(value);
    return absl::OkStatus();
  }
  KUMA_ASSIGN_OR_RETURN(json::value * parent, make_parent(document, path));
  return insert(*parent, path.back(), std::move(value));
}

absl::Status remove(json::value& document, const Path& path) {
  if (path.empty()) {
    return absl::InvalidArgumentError("remove: the root can't be removed");
  }
  json::value* parent = find_at(document, path, path.size() - 1);
  if (parent == nullptr || child_of(*parent, path.back()) == nullptr) {
    return absl::OkStatus();
  }
  if (json::object* object = parent->if_object()) {
    object->erase(path.back());
  } else {
    json::array& array = parent->get_array();
    array.erase(array.begin() + *index_of(path.back(), array.size()));
  }
  return absl::OkStatus();
}

absl::Status apply_one(const json::value& patch, json::value& document, size_t& copied_bytes) {
  const std::string op = text_of(patch, "op");
  KUMA_ASSIGN_OR_RETURN(Path path, parse_pointer(text_of(patch, "path")));
  const json::value* given = find(patch, "value");
  const json::value value = given == nullptr ? json::value() : *given;
  if (op == "add") {
    return add(document, path, value);
  }
  if (op == "remove") {
    return remove(document, path);
  }
  if (op == "replace") {
    json::value* at = find_at(document, path, path.size());
    if (at == nullptr) {
      return missing("replace", text_of(patch, "path"));
    }
    *at = value;
    return absl::OkStatus();
  }
  if (op != "move" && op != "copy") {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is no operation of a JSON patch", op));
  }
  KUMA_ASSIGN_OR_RETURN(Path from, parse_pointer(text_of(patch, "from")));
  const json::value* source = find_at(document, from, from.size());
  if (source == nullptr) {
    return missing(op, text_of(patch, "from"));
  }
  json::value moved = *source;
  if (op == "copy") {
    copied_bytes += to_json(moved).size();
    if (copied_bytes > kPatchCopiedBytesMax) {
      return absl::ResourceExhaustedError(fmt::format("copy: more than {} bytes are copied", kPatchCopiedBytesMax));
    }
  } else {
    KUMA_RETURN_IF_ERROR(remove(document, from));
  }
  return add(document, path, std::move(moved));
}

}  // namespace

absl::Status apply_json_patches(const json::array& patches, json::value& document) {
  size_t copied_bytes = 0;
  for (const json::value& patch : patches) {
    KUMA_RETURN_IF_ERROR(apply_one(patch, document, copied_bytes));
  }
  return absl::OkStatus();
}

}  // namespace kuma::policy::envoy
