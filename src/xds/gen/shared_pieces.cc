#include "xds/gen/shared_pieces.h"

#include "absl/hash/hash.h"

namespace kuma::xds {

// Equal values as one, as long as somebody holds it.
template <typename Value>
struct SharedPieces::Sharing {
  std::mutex mutex;  // guards the two below
  std::map<Value, std::weak_ptr<const Value>> known;
  size_t sweep_at = 64;

  std::shared_ptr<const Value> share(Value value) {
    std::lock_guard lock(mutex);
    if (known.size() >= sweep_at) {
      std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
      sweep_at = 2 * known.size() + 64;
    }
    auto& entry = known[value];
    if (auto shared = entry.lock()) {
      return shared;
    }
    auto shared = std::make_shared<const Value>(std::move(value));
    entry = shared;
    return shared;
  }
};

SharedPieces::SharedPieces()
    : shards_(kShards),
      refs_(std::make_unique<Sharing<std::vector<PolicyRef>>>()),
      names_(std::make_unique<Sharing<std::set<std::string>>>()) {}
SharedPieces::~SharedPieces() = default;

std::string SharedPieces::full_key(XdsType type, const policy::PieceKey& key) {
  return static_cast<char>(type) + key.text();
}

SharedPieces::Shard& SharedPieces::shard_of(const std::string& key) {
  // The low bits choose within a shard's own table.
  return shards_[(absl::Hash<std::string>()(key) >> 40) % kShards];
}

std::optional<Piece> SharedPieces::find(XdsType type, const policy::PieceKey& key) {
  std::string full = full_key(type, key);
  Shard& shard = shard_of(full);
  std::lock_guard lock(shard.mutex);
  auto found = shard.entries.find(full);
  if (found == shard.entries.end()) {
    return std::nullopt;
  }
  WireResourcePtr wire = found->second.wire.lock();
  return wire == nullptr ? std::nullopt : std::optional(Piece{std::move(wire), found->second.left_out, found->second.recipe});
}

void SharedPieces::put(XdsType type, const policy::PieceKey& key, const Piece& piece) {
  std::string full = full_key(type, key);
  Shard& shard = shard_of(full);
  std::lock_guard lock(shard.mutex);
  if (shard.entries.size() >= shard.sweep_at) {
    absl::erase_if(shard.entries, [](const auto& entry) { return entry.second.wire.expired(); });
    shard.sweep_at = 2 * shard.entries.size() + 64;
  }
  shard.entries.insert_or_assign(std::move(full), Entry{piece.wire, piece.left_out, piece.recipe, key.kept()});
}

std::shared_ptr<const std::vector<PolicyRef>> SharedPieces::share(std::vector<PolicyRef> refs) {
  return refs_->share(std::move(refs));
}

std::shared_ptr<const std::set<std::string>> SharedPieces::share(std::set<std::string> names) {
  return names_->share(std::move(names));
}

std::shared_ptr<const policy::ReachGraph> SharedPieces::reach_graph(const mesh::MeshView& view) {
  std::lock_guard lock(reach_mutex_);
  auto& graph = reach_graphs_[view.name];
  if (graph == nullptr || !graph->is_of(view)) {
    graph = std::make_shared<const policy::ReachGraph>(view, &rules_);
  }
  return graph;
}

size_t SharedPieces::size() const {
  size_t size = 0;
  for (const Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    size += shard.entries.size();
  }
  return size;
}

}  // namespace kuma::xds
