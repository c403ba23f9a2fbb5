#include "xds/server/response.h"

#include "envoy/service/discovery/v3/discovery.pb.h"

namespace kuma::xds {
namespace {

// Both kinds of response have their resources in field 2, length-delimited.
constexpr char kResourcesTag = (2 << 3) | 2;
// In envoy.service.discovery.v3.Resource: version 1, resource 2, name 3.
constexpr char kResourceVersionTag = (1 << 3) | 2;
constexpr char kResourceAnyTag = (2 << 3) | 2;
constexpr char kResourceNameTag = (3 << 3) | 2;

void append_varint(std::string& out, size_t value) {
  while (value >= 0x80) {
    out += static_cast<char>((value & 0x7F) | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

void append_text(std::string& out, char tag, const std::string& text) {
  out += tag;
  append_varint(out, text.size());
  out += text;
}


}  // namespace

net::GrpcMessage response(XdsType type, const std::string& version, const std::string& nonce, const std::string& control_plane_id,
                          const std::vector<WireResourcePtr>& resources) {
  envoy::service::discovery::v3::DiscoveryResponse head;
  head.set_version_info(version);
  head.set_type_url(std::string(type_url(type)));
  head.set_nonce(nonce);
  if (!control_plane_id.empty()) {
    head.mutable_control_plane()->set_identifier(control_plane_id);
  }
  net::GrpcMessage message;
  message.head = head.SerializeAsString();
  message.pieces.reserve(2 * resources.size());
  for (const WireResourcePtr& resource : resources) {
    std::string prefix(1, kResourcesTag);
    append_varint(prefix, resource->any->size());
    message.pieces.push_back(share_bytes(std::move(prefix)));
    message.pieces.push_back(resource->any);
  }
  return message;
}

net::GrpcMessage delta_response(XdsType type, const std::string& version, const std::string& nonce,
                                const std::string& control_plane_id, const std::vector<WireResourcePtr>& changed,
                                const std::vector<std::string>& removed) {
  envoy::service::discovery::v3::DeltaDiscoveryResponse head;
  head.set_system_version_info(version);
  head.set_type_url(std::string(type_url(type)));
  head.set_nonce(nonce);
  for (const std::string& name : removed) {
    head.add_removed_resources(name);
  }
  if (!control_plane_id.empty()) {
    head.mutable_control_plane()->set_identifier(control_plane_id);
  }
  net::GrpcMessage message;
  message.head = head.SerializeAsString();
  message.pieces.reserve(2 * changed.size());
  for (const WireResourcePtr& resource : changed) {
    std::string inner;
    append_text(inner, kResourceVersionTag, resource->version);
    append_text(inner, kResourceNameTag, resource->name);
    inner += kResourceAnyTag;
    append_varint(inner, resource->any->size());
    std::string prefix(1, kResourcesTag);
    append_varint(prefix, inner.size() + resource->any->size());
    prefix += inner;
    message.pieces.push_back(share_bytes(std::move(prefix)));
    message.pieces.push_back(resource->any);
  }
  return message;
}

}  // namespace kuma::xds
