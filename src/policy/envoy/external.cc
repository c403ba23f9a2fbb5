#include "policy/envoy/external.h"

#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "fmt/format.h"
#include "mesh/v1alpha1/externalservice.pb.h"
#include "policy/envoy/filters.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"
#include "policy/legacy.h"

namespace kuma::policy::envoy {
namespace {

using ::envoy::config::cluster::v3::Cluster;
using ::envoy::extensions::transport_sockets::tls::v3::SubjectAltNameMatcher;
using ::envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;
using ::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
using mesh::v1alpha1::ExternalService;

::envoy::config::core::v3::TransportSocket socket_of(const mesh::ExternalTls& tls) {
  UpstreamTlsContext context;
  context.set_sni(tls.sni);
  context.set_allow_renegotiation(tls.allow_renegotiation);
  if (!tls.certificate_pem.empty()) {
    auto& certificate = *context.mutable_common_tls_context()->add_tls_certificates();
    certificate.mutable_certificate_chain()->set_inline_bytes(tls.certificate_pem);
    certificate.mutable_private_key()->set_inline_bytes(tls.key_pem);
  }
  if (!tls.ca_pem.empty()) {
    auto& validation = *context.mutable_common_tls_context()->mutable_validation_context();
    validation.mutable_trusted_ca()->set_inline_bytes(tls.ca_pem);
    if (!tls.server_identity.empty()) {
      for (auto type : {SubjectAltNameMatcher::DNS, SubjectAltNameMatcher::IP_ADDRESS}) {
        auto& name = *validation.add_match_typed_subject_alt_names();
        name.set_san_type(type);
        name.mutable_matcher()->set_exact(tls.server_identity);
      }
    }
  }
  ::envoy::config::core::v3::TransportSocket socket;
  socket.set_name(std::string(kTlsSocket));
  pack(context, socket.mutable_typed_config());
  return socket;
}

void add_socket_match(const ExternalEndpoint& from, Cluster& cluster) {
  auto& match = *cluster.add_transport_socket_matches();
  match.set_name(from.tls->host);
  for (const auto& [key, value] : from.endpoint->tags) {
    if (key != mesh::kServiceTag) {
      (*match.mutable_match()->mutable_fields())[key].set_string_value(value);
    }
  }
  *match.mutable_transport_socket() = socket_of(*from.tls);
}

// By locality, the preferred first; in each by address.
void set_load_assignment(const ExternalCluster& from, Cluster& cluster) {
  std::vector<const mesh::Endpoint*> endpoints;
  for (const ExternalEndpoint& one : from.endpoints) {
    endpoints.push_back(one.endpoint.get());
  }
  auto& assignment = *cluster.mutable_load_assignment();
  assignment.set_cluster_name(cluster.name());
  add_endpoints(std::move(endpoints), from.locality, assignment);
  std::ranges::stable_sort(*assignment.mutable_endpoints(), {}, [](const auto& group) { return group.priority(); });
}

bool is_source(const model::Resource& permission, const mesh::DataplaneView& dataplane) {
  return best_rank(permission, SelectorList::Sources, dataplane.tag_sets).has_value();
}

}  // namespace

std::vector<ExternalEndpoint> load_external(const std::vector<mesh::EndpointPtr>& endpoints, const mesh::MeshView& view,
                                            std::set<std::string>& data_secrets, std::vector<Problem>& problems) {
  std::vector<ExternalEndpoint> usable;
  for (const mesh::EndpointPtr& endpoint : endpoints) {
    const auto& tls = endpoint->external_service->as<ExternalService>().networking().tls();
    if (!tls.enabled()) {
      usable.push_back({endpoint, std::nullopt});
      continue;
    }
    auto read = mesh::load_external_tls(tls, endpoint->address, view, data_secrets);
    if (read.ok()) {
      usable.push_back({endpoint, *std::move(read)});
      continue;
    }
    Problem problem{ref_of(*endpoint->external_service),
                    fmt::format("{}:{} is left out: {}", endpoint->address, endpoint->port, message_of(read.status()))};
    if (std::ranges::find(problems, problem) == problems.end()) {
      problems.push_back(std::move(problem));
    }
  }
  return usable;
}

void set_external(const ExternalCluster& from, Cluster& cluster) {
  bool by_name = std::ranges::any_of(from.endpoints, [](const auto& one) { return !is_ip_address(one.endpoint->address); });
  cluster.set_type(by_name ? Cluster::STRICT_DNS : Cluster::STATIC);
  if (by_name) {
    cluster.set_dns_lookup_family(from.ipv6 ? Cluster::AUTO : Cluster::V4_ONLY);
  }
  set_load_assignment(from, cluster);
  for (const ExternalEndpoint& one : from.endpoints) {
    if (one.tls) {
      add_socket_match(one, cluster);
    }
  }
}

void add_to_key(const ExternalCluster& from, PieceKey& key) {
  key.add(from.locality.prefer_local).add(from.locality.local_zone).add(from.ipv6);
  key.add(from.endpoints.size());
  for (const auto& [endpoint, tls] : from.endpoints) {
    key.add(endpoint->address).add(endpoint->port).add(endpoint->weight).add(endpoint->tags).add(tls.has_value());
    if (tls) {
      // PEMs are long and the key is kept for each proxy: their hash stands for them.
      PieceKey pems("tls");
      pems.add(tls->ca_pem).add(tls->certificate_pem).add(tls->key_pem);
      key.add(tls->host).add(tls->sni).add(tls->server_identity).add(tls->allow_renegotiation).add(sha256(pems.text()));
    }
  }
}

std::vector<mesh::EndpointPtr> visible_external(const mesh::Service& service, const mesh::MeshView& view,
                                                const mesh::DataplaneView& dataplane) {
  if (!view.mtls_enabled()) {
    return service.direct;
  }
  std::vector<mesh::EndpointPtr> visible;
  for (const mesh::EndpointPtr& endpoint : service.direct) {
    const mesh::Tags tags = mesh::to_tags(endpoint->external_service->as<ExternalService>().tags());
    const model::ResourcePtr* permission = select_for_inbound(view.policies_of("TrafficPermission"), tags);
    if (permission != nullptr && is_source(**permission, dataplane)) {
      visible.push_back(endpoint);
    }
  }
  return visible;
}

}  // namespace kuma::policy::envoy
