#include "policy/envoy/split.h"

#include "policy/conf_view.h"
#include "policy/envoy/names.h"
#include "policy/target_ref.h"

namespace kuma::policy::envoy {
namespace {

// The instances that a reference means; nothing when it is for something else than services.
std::optional<mesh::Tags> tags_of(const json::value& ref) {
  auto target = parse_target_ref(ref);
  if (!target || (target->kind != TargetKind::MeshService && target->kind != TargetKind::MeshServiceSubset)) {
    return std::nullopt;
  }
  mesh::Tags tags = std::move(target->tags);
  tags.insert_or_assign(std::string(mesh::kServiceTag), target->name);
  return tags;
}

uint32_t weight_of(const json::value& ref) {
  return static_cast<uint32_t>(ConfView(&ref, FieldPath())["weight"].number().value_or(1));
}

}  // namespace

std::optional<mesh::Tags> Splitter::usable_tags(const json::value& ref) {
  auto tags = tags_of(ref);
  if (tags && !protocols_.contains(destinations_.protocol_of(*tags).value_or(mesh::Protocol::Unknown))) {
    return std::nullopt;
  }
  return tags;
}

std::string Splitter::put(const mesh::Tags& tags) {
  std::string name = destination_cluster_name(tags);
  if (made_.insert(name).second) {
    DestinationCluster cluster;
    cluster.name = name;
    cluster.tags = tags;
    cluster.bare = true;
    destinations_.put(std::move(cluster));
  }
  return name;
}

Split Splitter::split(const json::value& backend_refs) {
  Split result;
  if (!backend_refs.is_array()) {
    return result;
  }
  std::vector<std::pair<mesh::Tags, uint32_t>> parts;
  for (const json::value& ref : backend_refs.get_array()) {
    uint32_t weight = weight_of(ref);
    if (weight == 0 || !tags_of(ref)) {
      continue;  // Envoy knows no weight of 0
    }
    auto tags = usable_tags(ref);
    if (!tags) {
      return result;
    }
    parts.emplace_back(*std::move(tags), weight);
  }
  for (const auto& [tags, weight] : parts) {
    result.clusters.push_back({put(tags), weight});
    result.leaves_mesh = result.leaves_mesh || destinations_.leaves_mesh(tags);
  }
  return result;
}

std::optional<std::string> Splitter::cluster_of(const json::value& ref) {
  auto tags = usable_tags(ref);
  return tags ? std::optional(put(*tags)) : std::nullopt;
}

}  // namespace kuma::policy::envoy
