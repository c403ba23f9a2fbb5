#include "policy/target_ref.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "fmt/format.h"

namespace kuma::policy {
namespace {

constexpr std::array<std::pair<std::string_view, TargetKind>, 6> kKinds = {{
    {"Mesh", TargetKind::Mesh},
    {"MeshSubset", TargetKind::MeshSubset},
    {"MeshGateway", TargetKind::MeshGateway},
    {"MeshService", TargetKind::MeshService},
    {"MeshServiceSubset", TargetKind::MeshServiceSubset},
    {"MeshHTTPRoute", TargetKind::MeshHTTPRoute},
}};

std::string_view text_of(const json::value& object, std::string_view member) {
  const json::value* found = find(object, member);
  return found != nullptr && found->is_string() ? std::string_view(found->get_string()) : std::string_view();
}

bool has_all(const mesh::Tags& tags, const mesh::Tags& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& entry) {
    auto found = tags.find(entry.first);
    return found != tags.end() && found->second == entry.second;
  });
}

}  // namespace

std::string_view kind_name(TargetKind kind) {
  switch (kind) {
    case TargetKind::Mesh:
      return "Mesh";
    case TargetKind::MeshSubset:
      return "MeshSubset";
    case TargetKind::MeshGateway:
      return "MeshGateway";
    case TargetKind::MeshService:
      return "MeshService";
    case TargetKind::MeshServiceSubset:
      return "MeshServiceSubset";
    case TargetKind::MeshHTTPRoute:
      return "MeshHTTPRoute";
  }
  return "";
}

std::optional<TargetRef> parse_target_ref(const json::value& value) {
  std::string_view word = text_of(value, "kind");
  auto kind = std::ranges::find(kKinds, word, &std::pair<std::string_view, TargetKind>::first);
  if (kind == kKinds.end()) {
    return std::nullopt;
  }
  TargetRef target{.kind = kind->second, .name = std::string(text_of(value, "name")), .tags = {}};
  if (const json::value* tags = find(value, "tags"); tags != nullptr && tags->is_object()) {
    for (const auto& entry : tags->get_object()) {
      if (entry.value().is_string()) {
        target.tags.emplace(std::string(entry.key()), std::string(entry.value().get_string()));
      }
    }
  }
  return target;
}

std::optional<TargetRef> parse_target_ref(const json::value& object, std::string_view member) {
  const json::value* value = find(object, member);
  return value == nullptr ? std::nullopt : parse_target_ref(*value);
}

bool selects_tags(const TargetRef& target, const mesh::Tags& tags) {
  switch (target.kind) {
    case TargetKind::Mesh:
      return true;
    case TargetKind::MeshSubset:
      return has_all(tags, target.tags);
    case TargetKind::MeshService:
      return mesh::tag(tags, mesh::kServiceTag) == target.name;
    case TargetKind::MeshServiceSubset:
      return mesh::tag(tags, mesh::kServiceTag) == target.name && has_all(tags, target.tags);
    case TargetKind::MeshGateway:
    case TargetKind::MeshHTTPRoute:
      return false;
  }
  return false;
}

std::string synced_name(std::string_view mesh, std::string_view name) {
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  static constexpr size_t kNameMax = 236;
  std::string hash = fmt::format("{:016x}", fnv1a64(fmt::format("{}{}", mesh, name)));
  for (char& digit : hash) {
    digit = kAlphabet[static_cast<unsigned char>(digit) % kAlphabet.size()];
  }
  return fmt::format("{}-{}", name.substr(0, kNameMax), hash);
}

}  // namespace kuma::policy
