#include <string>

#include "policy/envoy/deprecated.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"
#include "xds/gen/proxy_context.h"

namespace kuma::xds {
namespace {

using ::envoy::config::listener::v3::Listener;
using ::envoy::config::route::v3::Route;
using mesh::v1alpha1::Dataplane;
namespace make = policy::envoy;

constexpr std::string_view kListener = "probe:listener";

bool is_workload_port(const Dataplane& dataplane, uint32_t port) {
  for (const auto& inbound : dataplane.networking().inbound()) {
    if ((inbound.serviceport() == 0 ? inbound.port() : inbound.serviceport()) == port) {
      return true;
    }
  }
  return false;
}

// A path as Envoy rewrites it has no query.
std::string without_query(const std::string& path) { return path.substr(0, path.find('?')); }

void make_route(const Dataplane::Probes::Endpoint& endpoint, bool is_workload, Route& route) {
  route.mutable_match()->set_path(without_query(endpoint.path()));
  auto& method = *route.mutable_match()->add_headers();
  method.set_name(":method");
  method.mutable_string_match()->set_exact("GET");
  if (is_workload) {
    route.mutable_route()->set_cluster(make::local_cluster_name(endpoint.inbound_port()));
    auto& rewrite = *route.mutable_route()->mutable_regex_rewrite();
    make::set_regex(*rewrite.mutable_pattern(), ".*");
    rewrite.set_substitution(without_query(endpoint.inbound_path()));
  } else {
    route.mutable_redirect()->set_port_redirect(endpoint.inbound_port());
    route.mutable_redirect()->set_path_redirect(without_query(endpoint.inbound_path()));
  }
}

void make_listener(const mesh::DataplaneView& dataplane, bool transparent, Listener& listener) {
  const auto& spec = dataplane.resource->as<Dataplane>();
  set_inbound_listener(listener, kListener, dataplane.address, spec.probes().port());
  if (transparent) {
    listener.mutable_bind_to_port()->set_value(false);
  }
  make::Hcm hcm;
  hcm.set_stat_prefix(make::sanitize_stat(kListener));
  auto& config = *hcm.mutable_route_config();
  config.set_name("probe:route_configuration");
  auto& host = *config.add_virtual_hosts();
  host.set_name("probe");
  host.add_domains("*");
  for (const auto& endpoint : spec.probes().endpoints()) {
    make_route(endpoint, is_workload_port(spec, endpoint.inbound_port()), *host.add_routes());
  }
  make::add_router(hcm);
  make::add_filter(*listener.add_filter_chains(), make::kHttpConnectionManager, hcm);
}

}  // namespace

absl::Status generate_probes(ProxyContext& context) {
  if (!context.spec.has_probes()) {
    return absl::OkStatus();
  }
  policy::PieceKey key("probes");
  key.add(context.dataplane.resource);
  policy::ProxyResources::put(
      context.resources.listeners,
      own_draft<policy::ListenerDraft>(
          kListener, policy::Origin::Probe, std::move(key),
          [&dataplane = context.dataplane, transparent = context.transparent()](Listener& listener) {
            make_listener(dataplane, transparent, listener);
          }));
  return absl::OkStatus();
}

}  // namespace kuma::xds
