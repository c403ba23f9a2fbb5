#pragma once

#include "google/protobuf/arena.h"

namespace kuma::policy::envoy {

// Room for messages that are made, changed, written and thrown away: most of them fit into this object, which belongs on the
// stack, and all go with it at once.
class Scratch {
 public:
  Scratch() : arena_(options()) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // An empty message that lives as long as this.
  template <typename Message>
  Message& make() {
    return *google::protobuf::Arena::CreateMessage<Message>(&arena_);
  }

 private:
  static constexpr size_t kSize = 8 * 1024;

  google::protobuf::ArenaOptions options() {
    google::protobuf::ArenaOptions options;
    options.initial_block = block_;
    options.initial_block_size = kSize;
    return options;
  }

  alignas(8) char block_[kSize];
  google::protobuf::Arena arena_;
};

}  // namespace kuma::policy::envoy
