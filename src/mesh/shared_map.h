#pragma once

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace kuma::mesh {

// A sorted map whose copies share what they have in common: copying one costs one reference, changing one entry of a copy
// costs one chunk (at most kChunkMax entries) and the list of chunks. A view of 20,000 dataplanes follows a change in
// microseconds, and readers of the older copy never notice.
//
// A value: not safe for concurrent use of one object while it is changed, like any container.
template <typename Key, typename Value>
class SharedMap {
 public:
  using value_type = std::pair<Key, Value>;

 private:
  static constexpr size_t kChunkMax = 64;
  using Chunk = std::vector<value_type>;
  using ChunkPtr = std::shared_ptr<const Chunk>;  // never empty
  using Chunks = std::vector<ChunkPtr>;

 public:
  class const_iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = SharedMap::value_type;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = const value_type&;

    const_iterator() = default;
    reference operator*() const { return (*(*chunks_)[chunk_])[at_]; }
    pointer operator->() const { return &**this; }
    const_iterator& operator++() {
      if (++at_ == (*chunks_)[chunk_]->size()) {
        ++chunk_;
        at_ = 0;
      }
      return *this;
    }
    const_iterator operator++(int) {
      const_iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const const_iterator&) const = default;

   private:
    friend class SharedMap;
    const_iterator(const Chunks* chunks, size_t chunk, size_t at) : chunks_(chunks), chunk_(chunk), at_(at) {}
    const Chunks* chunks_ = nullptr;
    size_t chunk_ = 0;
    size_t at_ = 0;
  };
  using iterator = const_iterator;

  const_iterator begin() const { return const_iterator(chunks_.get(), 0, 0); }
  const_iterator end() const { return const_iterator(chunks_.get(), chunks_->size(), 0); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  template <typename K>
  const_iterator find(const K& key) const {
    auto [chunk, at, found] = locate(key);
    return found ? const_iterator(chunks_.get(), chunk, at) : end();
  }
  template <typename K>
  bool contains(const K& key) const {
    return locate(key).found;
  }

  void set(const Key& key, Value value) {
    Place place = locate(key);
    Chunks next = *chunks_;
    Chunk chunk = next.empty() ? Chunk() : *next[place.chunk];
    if (place.found) {
      chunk[place.at].second = std::move(value);
    } else {
      chunk.emplace(chunk.begin() + static_cast<std::ptrdiff_t>(place.at), key, std::move(value));
      ++size_;
    }
    auto where = next.begin() + static_cast<std::ptrdiff_t>(place.chunk);
    if (chunk.size() > kChunkMax) {
      auto middle = chunk.begin() + kChunkMax / 2;
      auto upper = std::make_shared<const Chunk>(std::make_move_iterator(middle), std::make_move_iterator(chunk.end()));
      chunk.erase(middle, chunk.end());
      where = next.insert(where + 1, std::move(upper)) - 1;
    }
    ChunkPtr changed = std::make_shared<const Chunk>(std::move(chunk));
    if (next.empty()) {
      next.push_back(std::move(changed));
    } else {
      *where = std::move(changed);
    }
    chunks_ = std::make_shared<const Chunks>(std::move(next));
  }

  // False when there is no such key.
  template <typename K>
  bool erase(const K& key) {
    Place place = locate(key);
    if (!place.found) {
      return false;
    }
    Chunks next = *chunks_;
    auto where = next.begin() + static_cast<std::ptrdiff_t>(place.chunk);
    if ((*where)->size() == 1) {
      next.erase(where);
    } else {
      Chunk chunk = **where;
      chunk.erase(chunk.begin() + static_cast<std::ptrdiff_t>(place.at));
      *where = std::make_shared<const Chunk>(std::move(chunk));
    }
    --size_;
    chunks_ = std::make_shared<const Chunks>(std::move(next));
    return true;
  }

  bool operator==(const SharedMap& other) const {
    return chunks_ == other.chunks_ || (size_ == other.size_ && std::equal(begin(), end(), other.begin()));
  }

 private:
  struct Place {
    size_t chunk;
    size_t at;
    bool found;
  };

  // Where the key is, or where it belongs.
  template <typename K>
  Place locate(const K& key) const {
    if (chunks_->empty()) {
      return {0, 0, false};
    }
    // The last chunk that starts at or before the key.
    auto after = std::upper_bound(chunks_->begin(), chunks_->end(), key,
                                  [](const K& k, const ChunkPtr& chunk) { return k < chunk->front().first; });
    size_t index = after == chunks_->begin() ? 0 : static_cast<size_t>(after - chunks_->begin()) - 1;
    const Chunk& chunk = *(*chunks_)[index];
    auto at = std::lower_bound(chunk.begin(), chunk.end(), key,
                               [](const value_type& entry, const K& k) { return entry.first < k; });
    return {index, static_cast<size_t>(at - chunk.begin()), at != chunk.end() && !(key < at->first)};
  }

  static std::shared_ptr<const Chunks> nothing() {
    static const std::shared_ptr<const Chunks> kNothing = std::make_shared<const Chunks>();
    return kNothing;
  }

  std::shared_ptr<const Chunks> chunks_ = nothing();
  size_t size_ = 0;
};

}  // namespace kuma::mesh
