#include "policy/envoy/tls.h"

#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "fmt/format.h"
#include "policy/envoy/names.h"
#include "policy/envoy/pack.h"

namespace kuma::policy::envoy {
namespace {

using ::envoy::config::core::v3::ApiVersion;
using ::envoy::config::core::v3::TransportSocket;
using ::envoy::extensions::transport_sockets::tls::v3::CommonTlsContext;
using ::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
using ::envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig;
using ::envoy::extensions::transport_sockets::tls::v3::SubjectAltNameMatcher;
using ::envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;
using ::envoy::type::matcher::v3::StringMatcher;

// What clients of a mesh offer, so that a PERMISSIVE server tells them from an application's own TLS.
constexpr char kMeshAlpn[] = "kuma";

void refer(SdsSecretConfig& config, std::string name) {
  config.set_name(std::move(name));
  config.mutable_sds_config()->mutable_ads();
  config.mutable_sds_config()->set_resource_api_version(ApiVersion::V3);
}

void set_common(CommonTlsContext& common, std::string_view mesh, std::string_view peer_mesh, const StringMatcher& peer) {
  refer(*common.add_tls_certificate_sds_secret_configs(), identity_secret_name(mesh));
  auto* validation = common.mutable_combined_validation_context();
  auto* name = validation->mutable_default_validation_context()->add_match_typed_subject_alt_names();
  name->set_san_type(SubjectAltNameMatcher::URI);
  *name->mutable_matcher() = peer;
  refer(*validation->mutable_validation_context_sds_secret_config(), ca_secret_name(peer_mesh));
}

TransportSocket socket_of(const google::protobuf::Message& context) {
  TransportSocket socket;
  socket.set_name(std::string(kTlsSocket));
  pack(context, socket.mutable_typed_config());
  return socket;
}

StringMatcher of_mesh(std::string_view mesh) {
  StringMatcher matcher;
  matcher.set_prefix(fmt::format("spiffe://{}/", mesh));
  return matcher;
}

}  // namespace

TransportSocket mesh_server_tls(std::string_view mesh) {
  DownstreamTlsContext context;
  context.mutable_require_client_certificate()->set_value(true);
  set_common(*context.mutable_common_tls_context(), mesh, mesh, of_mesh(mesh));
  return socket_of(context);
}

TransportSocket mesh_client_tls(const MeshClientTls& client) {
  UpstreamTlsContext context;
  context.set_sni(client.sni);
  StringMatcher peer;
  peer.set_exact(client.peer_identity);
  set_common(*context.mutable_common_tls_context(), client.mesh, client.peer_mesh, peer);
  context.mutable_common_tls_context()->add_alpn_protocols(kMeshAlpn);
  return socket_of(context);
}

TransportSocket mesh_client_tls_to_any(std::string_view mesh) {
  UpstreamTlsContext context;
  set_common(*context.mutable_common_tls_context(), mesh, mesh, of_mesh(mesh));
  context.mutable_common_tls_context()->add_alpn_protocols(kMeshAlpn);
  return socket_of(context);
}

std::string spiffe_id(std::string_view mesh, std::string_view service) { return fmt::format("spiffe://{}/{}", mesh, service); }

}  // namespace kuma::policy::envoy
