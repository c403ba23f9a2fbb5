#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "envoy/service/runtime/v3/rtds.pb.h"
#include "mesh/mesh_view.h"
#include "mesh/v1alpha1/dataplane.pb.h"
#include "policy/matched.h"
#include "policy/proxy_resources.h"
#include "xds/gen/generator.h"

namespace kuma::xds {

using SecretDraft = policy::Draft<::envoy::extensions::transport_sockets::tls::v3::Secret>;
using RuntimeDraft = policy::Draft<::envoy::service::runtime::v3::Runtime>;

// What the generators of one proxy see, and where they put what they make. Lives during one generation.
struct ProxyContext {
  const mesh::MeshView& view;
  const mesh::DataplaneView& dataplane;
  const mesh::v1alpha1::Dataplane& spec;  // of `dataplane`
  const ProxyInput& proxy;
  policy::ProxyResources& resources;
  const policy::ProxyPolicies& policies;
  SharedPieces* pieces = nullptr;  // may be null
  // Builtin gateways only: certificates that users gave, values for Envoy's runtime.
  std::map<std::string, SecretDraft> certificates = {};
  std::map<std::string, RuntimeDraft> runtimes = {};

  bool transparent() const { return resources.transparent; }
};

// Fills the resources' outbounds and `transparent`, which generators and policies read.
void resolve_outbounds(ProxyContext& context);  // §8.1

// The parts of a standard proxy's configuration, in the order in which they run (spec/xds-config.md §1). An error means that
// the proxy can't be configured.
absl::Status generate_admin(ProxyContext& context);          // §4
absl::Status generate_admin(const ProxyInput& proxy, const std::string& address, policy::ProxyResources& resources);  // of any
absl::Status generate_prometheus(ProxyContext& context);     // §5
absl::Status generate_transparent(ProxyContext& context);    // §6
absl::Status generate_inbounds(ProxyContext& context);       // §7
absl::Status generate_outbounds(ProxyContext& context);      // §8
absl::Status generate_direct_access(ProxyContext& context);  // §10
absl::Status generate_probes(ProxyContext& context);         // §14
absl::Status generate_dns(ProxyContext& context);            // §11.3
absl::Status generate_gateway(ProxyContext& context);        // builtin gateways: spec/gateway.md

// Where a dataplane offers its metrics to the mesh, and the service that it counts as there.
struct MetricsPlace {
  uint32_t port = 0;
  std::string service;
};
class MetricsPlaces {
 public:
  explicit MetricsPlaces(const mesh::MeshView& view);  // outlives it
  std::optional<MetricsPlace> of(const mesh::v1alpha1::Dataplane& spec) const;  // nothing: nowhere

 private:
  const mesh::MeshView& view_;
  std::optional<MetricsPlace> usual_;
};

// What TrafficLog and TrafficTrace add to the listeners that are there.
void generate_logs_and_traces(ProxyContext& context);

// A listener that clients connect to from outside of the proxy.
void set_inbound_listener(::envoy::config::listener::v3::Listener& listener, std::string_view name, std::string_view address,
                          uint32_t port);

// A draft whose subject says nothing, for what is the proxy's own.
template <typename DraftType>
DraftType own_draft(std::string_view name, policy::Origin origin, policy::PieceKey key, typename DraftType::Make make) {
  DraftType draft;
  draft.name = std::string(name);
  draft.origin = origin;
  draft.subject = std::make_shared<policy::Subject>();
  draft.key = std::move(key);
  draft.make = std::move(make);
  return draft;
}

}  // namespace kuma::xds
