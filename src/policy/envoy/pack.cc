#include "policy/envoy/pack.h"

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace kuma::policy::envoy {

namespace {

using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

// The fields of google.protobuf.Any, length-delimited.
constexpr uint32_t kTypeUrlTag = (1 << 3) | 2;
constexpr uint32_t kValueTag = (2 << 3) | 2;
// Of the tags and lengths of both.
constexpr size_t kHeadMax = 2 + 2 * 10;

std::string type_url_of(const google::protobuf::Message& message) {
  return "type.googleapis.com/" + message.GetDescriptor()->full_name();
}

}  // namespace

std::string serialize(const google::protobuf::Message& message) {
  std::string bytes;
  bytes.reserve(message.ByteSizeLong());
  {
    StringOutputStream stream(&bytes);
    CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message.SerializeWithCachedSizes(&out);
  }
  return bytes;
}

std::string serialize_packed(const google::protobuf::Message& message) {
  const std::string type_url = type_url_of(message);
  const size_t size = message.ByteSizeLong();
  std::string bytes;
  bytes.reserve(kHeadMax + type_url.size() + size);
  {
    StringOutputStream stream(&bytes);
    CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    out.WriteTag(kTypeUrlTag);
    out.WriteVarint32(static_cast<uint32_t>(type_url.size()));
    out.WriteString(type_url);
    if (size > 0) {  // proto3 leaves out what is empty
      out.WriteTag(kValueTag);
      out.WriteVarint32(static_cast<uint32_t>(size));
      message.SerializeWithCachedSizes(&out);
    }
  }
  return bytes;
}

void pack(const google::protobuf::Message& message, google::protobuf::Any* any) {
  any->set_type_url(type_url_of(message));
  any->set_value(serialize(message));
}

}  // namespace kuma::policy::envoy
