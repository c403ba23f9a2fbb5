#include <array>
#include <string>

#include "base/status.h"
#include "base/text.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"
#include "xds/gen/proxy_context.h"

namespace kuma::xds {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::config::listener::v3::FilterChain;
using ::envoy::config::listener::v3::Listener;
using ::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
using ::envoy::extensions::transport_sockets::tls::v3::SubjectAltNameMatcher;
namespace make = policy::envoy;

constexpr std::string_view kAdmin = "kuma:envoy:admin";
constexpr std::string_view kReadiness = "kuma:readiness";

// The only client that the admin listener accepts.
constexpr char kControlPlaneName[] = "kuma-cp";

absl::StatusOr<std::string> local_admin_address(const std::string& address) {
  if (address.empty() || address == "0.0.0.0" || address == "127.0.0.1") {
    return "127.0.0.1";
  }
  if (address == "::" || address == "::1") {
    return "::1";
  }
  return absl::InvalidArgumentError(
      R"(envoy admin cluster is not allowed to have addresses other than "", "0.0.0.0", "127.0.0.1", "::", "::1")");
}

void put_cluster(policy::ProxyResources& resources, std::string_view name, std::string address, uint32_t port) {
  policy::PieceKey key("static-cluster");
  key.add(name).add(address).add(port);
  policy::ProxyResources::put(
      resources.clusters,
      own_draft<policy::ClusterDraft>(name, policy::Origin::Admin, std::move(key),
                                      [name, address = std::move(address), port](Cluster& cluster) {
                                        make::set_cluster_name(cluster, name);
                                        make::set_static_endpoint(cluster, address, port);
                                      }));
}

struct AdminRoute {
  std::string_view prefix;
  std::string_view cluster;
};

void add_http(FilterChain& chain, std::span<const AdminRoute> routes) {
  make::Hcm hcm;
  hcm.set_stat_prefix(make::sanitize_stat(kAdmin));
  auto& config = *hcm.mutable_route_config();
  config.mutable_validate_clusters()->set_value(false);
  auto& host = *config.add_virtual_hosts();
  host.set_name(std::string(kAdmin));
  host.add_domains("*");
  for (const AdminRoute& from : routes) {
    auto& route = *host.add_routes();
    route.mutable_match()->set_prefix(std::string(from.prefix));
    route.mutable_route()->set_cluster(std::string(from.cluster));
    route.mutable_route()->set_prefix_rewrite(std::string(from.prefix));
  }
  make::add_router(hcm);
  make::add_filter(chain, make::kHttpConnectionManager, hcm);
}

void set_tls(FilterChain& chain, const AdminTls& tls) {
  DownstreamTlsContext context;
  context.mutable_require_client_certificate()->set_value(true);
  auto& certificate = *context.mutable_common_tls_context()->add_tls_certificates();
  certificate.mutable_certificate_chain()->set_inline_bytes(tls.certificate_pem);
  certificate.mutable_private_key()->set_inline_bytes(tls.key_pem);
  auto& validation = *context.mutable_common_tls_context()->mutable_validation_context();
  validation.mutable_trusted_ca()->set_inline_bytes(tls.ca_pem);
  auto& name = *validation.add_match_typed_subject_alt_names();
  name.set_san_type(SubjectAltNameMatcher::DNS);
  name.mutable_matcher()->set_exact(kControlPlaneName);
  chain.mutable_transport_socket()->set_name(std::string(make::kTlsSocket));
  make::pack(context, chain.mutable_transport_socket()->mutable_typed_config());
}

// Readiness is asked for by anybody; everything else by the control plane alone.
void make_listener(const std::string& address, uint32_t port, std::string_view ready_cluster, const AdminTls& tls,
                   Listener& listener) {
  set_inbound_listener(listener, kAdmin, address, port);
  make::add_tls_inspector(listener);
  const std::array<AdminRoute, 2> routes = {{{"/ready", ready_cluster}, {"/", kAdmin}}};
  add_http(*listener.add_filter_chains(), std::span(routes).first(1));
  FilterChain& secure = *listener.add_filter_chains();
  secure.mutable_filter_chain_match()->set_transport_protocol("tls");
  add_http(secure, routes);
  set_tls(secure, tls);
}

}  // namespace

absl::Status generate_admin(ProxyContext& context) {
  return generate_admin(context.proxy, context.dataplane.address, context.resources);
}

absl::Status generate_admin(const ProxyInput& proxy, const std::string& address, policy::ProxyResources& resources) {
  const ProxyMetadata& metadata = proxy.metadata;
  if (metadata.admin_port == 0) {
    return absl::OkStatus();
  }
  KUMA_ASSIGN_OR_RETURN(std::string admin_address, local_admin_address(metadata.admin_address));
  put_cluster(resources, kAdmin, admin_address, metadata.admin_port);
  if (metadata.readiness_port > 0) {
    if (metadata.admin_address.empty()) {
      return absl::InvalidArgumentError("the cluster kuma:readiness needs the admin address that the proxy did not tell");
    }
    put_cluster(resources, kReadiness, metadata.admin_address, metadata.readiness_port);
  }
  if (address == admin_address) {
    return absl::OkStatus();  // the admin endpoint itself has the port
  }
  std::string_view ready_cluster = metadata.readiness_port > 0 ? kReadiness : kAdmin;
  // The PEMs are long and the key is kept for each proxy: their hash stands for them.
  const AdminTls& tls = proxy.admin_tls;
  policy::PieceKey key("admin-listener");
  key.add(address).add(metadata.admin_port).add(ready_cluster);
  key.add(sha256(policy::PieceKey("tls").add(tls.ca_pem).add(tls.certificate_pem).add(tls.key_pem).text()));
  policy::ProxyResources::put(
      resources.listeners,
      own_draft<policy::ListenerDraft>(
          kAdmin, policy::Origin::Admin, std::move(key),
          [address, port = metadata.admin_port, ready_cluster, &tls](Listener& listener) {
            make_listener(address, port, ready_cluster, tls, listener);
          }));
  return absl::OkStatus();
}

}  // namespace kuma::xds
