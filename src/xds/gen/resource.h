#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "model/resource.h"
#include "policy/refs.h"

namespace kuma::xds {

// The xDS resource types that proxies get, in the order in which they are sent: a cluster before its endpoints, a
// listener before its routes, so that nothing waits for what comes later. Removals go in reverse.
enum class XdsType { Cluster, Endpoint, Listener, Route, Secret, Runtime };
inline constexpr size_t kXdsTypeCount = 6;

std::string_view type_url(XdsType type);                      // "type.googleapis.com/envoy.config.cluster.v3.Cluster"
const XdsType* find_xds_type(std::string_view type_url);      // null for any other

using policy::PolicyRef;
using policy::Problem;
using policy::SecretRef;

// One generated Envoy resource in wire form, made once for all proxies that get the same. Immutable.
struct WireResource {
  XdsType type = XdsType::Cluster;
  std::string name;
  std::string version;   // hash of the content, so equal content has equal versions
  SharedBytes any;       // a serialized google.protobuf.Any
};
using WireResourcePtr = std::shared_ptr<const WireResource>;

// Keeps one WireResource per content as long as somebody holds it. Any thread.
class Interner {
 public:
  Interner();
  ~Interner();
  // `message` is serialized deterministically (map keys sorted).
  WireResourcePtr intern(XdsType type, std::string_view name, const google::protobuf::Message& message);
  size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kuma::xds
