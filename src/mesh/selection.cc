#include "mesh/selection.h"

#include <array>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "mesh/v1alpha1/selector.pb.h"

namespace kuma::mesh {
namespace {

using google::protobuf::FieldDescriptor;
using v1alpha1::Selector;

const FieldDescriptor* field_of(const model::Resource& resource, SelectorList list) {
  static constexpr std::array<const char*, 3> kNames = {"sources", "destinations", "selectors"};
  if (resource.message == nullptr) {
    return nullptr;
  }
  const FieldDescriptor* field = resource.message->GetDescriptor()->FindFieldByName(kNames[static_cast<size_t>(list)]);
  return field != nullptr && field->is_repeated() && field->message_type() == Selector::descriptor() ? field : nullptr;
}

// Whether `candidate` takes the place of the best so far, which comes before it in the list.
bool replaces(Rank rank, const model::Resource& candidate, Rank best_rank, const model::Resource& best) {
  return rank > best_rank || (rank == best_rank && candidate.meta.creation_time > best.meta.creation_time);
}

}  // namespace

std::optional<Rank> match_rank(const Match& match, const Tags& tags) {
  Rank rank;
  for (const auto& [key, value] : match) {
    auto found = tags.find(key);
    if (found == tags.end() || (value != "*" && value != found->second)) {
      return std::nullopt;
    }
    ++(value == "*" ? rank.wildcard : rank.exact);
  }
  return rank;
}

bool has_list(const model::Resource& resource, SelectorList list) { return field_of(resource, list) != nullptr; }

std::vector<const Selector*> selectors_of(const model::Resource& resource, SelectorList list) {
  const FieldDescriptor* field = field_of(resource, list);
  if (field == nullptr) {
    return {};
  }
  const auto* reflection = resource.message->GetReflection();
  std::vector<const Selector*> selectors(static_cast<size_t>(reflection->FieldSize(*resource.message, field)));
  for (size_t i = 0; i < selectors.size(); ++i) {
    selectors[i] =
        static_cast<const Selector*>(&reflection->GetRepeatedMessage(*resource.message, field, static_cast<int>(i)));
  }
  return selectors;
}

std::optional<Rank> best_rank(const model::Resource& resource, SelectorList list, const std::vector<Tags>& tag_sets) {
  if (!has_list(resource, list)) {
    return std::nullopt;
  }
  std::optional<Rank> best;
  const auto selectors = selectors_of(resource, list);
  if (list == SelectorList::Selectors && selectors.empty()) {
    return Rank{};
  }
  for (const Selector* selector : selectors) {
    for (const Tags& tags : tag_sets) {
      auto rank = match_rank(selector->match(), tags);
      if (rank && (!best || *rank > *best)) {
        best = rank;
      }
    }
    if (selector->match().empty() && !best) {
      best = Rank{};
    }
  }
  return best;
}

const model::ResourcePtr* select_best(const ResourceList& resources, SelectorList list, const std::vector<Tags>& tag_sets) {
  const model::ResourcePtr* best = nullptr;
  Rank best_so_far;
  for (const auto& resource : resources) {
    auto rank = best_rank(*resource, list, tag_sets);
    if (rank && (best == nullptr || replaces(*rank, *resource, best_so_far, **best))) {
      best = &resource;
      best_so_far = *rank;
    }
  }
  return best;
}

}  // namespace kuma::mesh
