#include "xds/gen/resource.h"

#include <array>
#include <mutex>

#include "absl/container/flat_hash_map.h"
#include "base/text.h"
#include "google/protobuf/any.pb.h"
#include "policy/envoy/pack.h"

namespace kuma::xds {
namespace {

constexpr std::array<std::string_view, kXdsTypeCount> kTypeUrls = {
    "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "type.googleapis.com/envoy.config.listener.v3.Listener",
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
    "type.googleapis.com/envoy.service.runtime.v3.Runtime",
};
constexpr std::array<XdsType, kXdsTypeCount> kTypes = {XdsType::Cluster, XdsType::Endpoint, XdsType::Listener,
                                                       XdsType::Route,   XdsType::Secret,   XdsType::Runtime};

// 128 bits of a cryptographic hash: no two contents ever share a version, not even made on purpose.
std::string version_of(std::string_view content) {
  static constexpr size_t kBytes = 16;
  return base64url_encode(sha256(content).substr(0, kBytes));
}

}  // namespace

std::string_view type_url(XdsType type) { return kTypeUrls[static_cast<size_t>(type)]; }

const XdsType* find_xds_type(std::string_view type_url) {
  for (size_t i = 0; i < kTypeUrls.size(); ++i) {
    if (kTypeUrls[i] == type_url) {
      return &kTypes[i];
    }
  }
  return nullptr;
}

struct Interner::Impl {
  mutable std::mutex mutex;  // guards the two below
  absl::flat_hash_map<std::string, std::weak_ptr<const WireResource>> known;  // by type and version
  size_t sweep_at = 1024;
};

Interner::Interner() : impl_(std::make_unique<Impl>()) {}
Interner::~Interner() = default;

WireResourcePtr Interner::intern(XdsType type, std::string_view name, const google::protobuf::Message& message) {
  auto resource = std::make_shared<WireResource>();
  resource->type = type;
  resource->name = std::string(name);
  std::string any = policy::envoy::serialize_packed(message);
  resource->version = version_of(any);
  std::string key = static_cast<char>(type) + resource->version;

  std::lock_guard lock(impl_->mutex);
  auto& entry = impl_->known[key];
  if (WireResourcePtr shared = entry.lock()) {
    return shared;
  }
  resource->any = share_bytes(std::move(any));
  entry = resource;
  if (impl_->known.size() >= impl_->sweep_at) {
    absl::erase_if(impl_->known, [](const auto& other) { return other.second.expired(); });
    impl_->sweep_at = 2 * impl_->known.size() + 1024;
  }
  return resource;
}

size_t Interner::size() const {
  std::lock_guard lock(impl_->mutex);
  size_t size = 0;
  for (const auto& [key, resource] : impl_->known) {
    size += resource.expired() ? 0 : 1;
  }
  return size;
}

}  // namespace kuma::xds
