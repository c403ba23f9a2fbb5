#pragma once

#include <optional>
#include <string>
#include <vector>

#include "google/protobuf/map.h"
#include "mesh/mesh_view.h"

namespace kuma::mesh::v1alpha1 {
class Selector;
}

namespace kuma::mesh {

// How resources with selectors are chosen: of all that match, the most specific one (spec/legacy-policies.md §1).

// How specific a match is: more tags first, then more tags with a value of their own.
struct Rank {
  int exact = 0;
  int wildcard = 0;

  Rank operator+(const Rank& other) const { return {exact + other.exact, wildcard + other.wildcard}; }
  bool operator==(const Rank&) const = default;
  auto operator<=>(const Rank& other) const {
    if (auto total = exact + wildcard <=> other.exact + other.wildcard; total != 0) {
      return total;
    }
    return exact <=> other.exact;
  }
};

// How a selector matches tags; nothing: it does not. `*` stands for a tag with any value, which has to be there.
using Match = google::protobuf::Map<std::string, std::string>;
std::optional<Rank> match_rank(const Match& match, const Tags& tags);

// Which lists of selectors a resource has.
enum class SelectorList { Sources, Destinations, Selectors };

bool has_list(const model::Resource& resource, SelectorList list);
std::vector<const v1alpha1::Selector*> selectors_of(const model::Resource& resource, SelectorList list);  // empty without the list

// The best match of a resource's selectors on one of the tag sets. One without such a list matches nothing, one whose list of
// `selectors` is empty matches everything with the lowest rank.
std::optional<Rank> best_rank(const model::Resource& resource, SelectorList list, const std::vector<Tags>& tag_sets);

// The one of best rank, the newest of several; null: none matches. Of equals the first, so lists come in order of name.
const model::ResourcePtr* select_best(const ResourceList& resources, SelectorList list, const std::vector<Tags>& tag_sets);

}  // namespace kuma::mesh
