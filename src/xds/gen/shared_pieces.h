#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "policy/matched.h"
#include "policy/proxy_resources.h"
#include "policy/reachability.h"
#include "xds/gen/generator.h"

namespace kuma::xds {

// What a list of endpoints was made from beside the state of its service, to make it from the next one.
struct EndpointsRecipe {
  std::shared_ptr<const policy::Subject> subject;
  std::vector<policy::EndpointsDraft::Change> changes;
};
using EndpointsRecipePtr = std::shared_ptr<const EndpointsRecipe>;

// A policy's change that a resource had to do without. Told by its place among the draft's changes: drafts with one key come
// from the same settings, but maybe from another policy each.
struct LeftOut {
  size_t change = 0;
  std::string message;
};

// A finished resource, and what had to be left out of it.
struct Piece {
  WireResourcePtr wire;
  std::vector<LeftOut> left_out{};
  EndpointsRecipePtr recipe{};  // endpoints of a service only
};

// Resources by the key of what they are made from (policy::PieceKey). A proxy that needs one of a known key takes it
// without making, serializing or hashing anything: of 1,000 proxies that reach the same 200 services, the first pays for the
// clusters and endpoints of all.
//
// An entry lives as long as somebody holds its resource (the proxies' last generations do); it keeps the parts of the view
// that its key names by address, so an address never means two things. Any thread.
class SharedPieces {
 public:
  SharedPieces();
  ~SharedPieces();

  std::optional<Piece> find(XdsType type, const policy::PieceKey& key);
  void put(XdsType type, const policy::PieceKey& key, const Piece& piece);

  // One list for all that have equal ones.
  std::shared_ptr<const std::vector<PolicyRef>> share(std::vector<PolicyRef> refs);
  std::shared_ptr<const std::set<std::string>> share(std::set<std::string> names);

  policy::RuleCache& rules() { return rules_; }
  // Who may call whom in the mesh; made again when the view's permissions or services are other ones.
  std::shared_ptr<const policy::ReachGraph> reach_graph(const mesh::MeshView& view);
  size_t size() const;  // entries, those of resources that nobody holds any more included until they are swept

 private:
  static constexpr size_t kShards = 16;
  struct Entry {
    std::weak_ptr<const WireResource> wire;
    std::vector<LeftOut> left_out;
    EndpointsRecipePtr recipe;
    std::vector<std::shared_ptr<const void>> kept;
  };
  struct Shard {
    mutable std::mutex mutex;  // guards the two below
    absl::flat_hash_map<std::string, Entry> entries;
    size_t sweep_at = 64;
  };
  template <typename Value>
  struct Sharing;

  static std::string full_key(XdsType type, const policy::PieceKey& key);
  Shard& shard_of(const std::string& key);

  std::vector<Shard> shards_;
  std::unique_ptr<Sharing<std::vector<PolicyRef>>> refs_;
  std::unique_ptr<Sharing<std::set<std::string>>> names_;
  policy::RuleCache rules_;
  std::mutex reach_mutex_;  // guards reach_graphs_
  std::map<std::string, std::shared_ptr<const policy::ReachGraph>> reach_graphs_;  // by mesh
};

}  // namespace kuma::xds
