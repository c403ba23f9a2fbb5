#pragma once

#include <string>

#include "google/protobuf/any.pb.h"
#include "google/protobuf/message.h"

namespace kuma::policy::envoy {

// Serializes with map entries in order of key: the same message gives the same bytes, which versions and sharing need.
// Any fields inside have to be packed with `pack` for that to hold all the way down.
std::string serialize(const google::protobuf::Message& message);

// serialize(packed(message)), without the message's bytes standing twice.
std::string serialize_packed(const google::protobuf::Message& message);

// An Any of the message: `any.PackFrom` with ordered maps.
void pack(const google::protobuf::Message& message, google::protobuf::Any* any);

template <typename Message>
google::protobuf::Any packed(const Message& message) {
  google::protobuf::Any any;
  pack(message, &any);
  return any;
}

}  // namespace kuma::policy::envoy
