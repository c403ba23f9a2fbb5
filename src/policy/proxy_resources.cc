#include "policy/proxy_resources.h"

#include "policy/envoy/names.h"

namespace kuma::policy {

std::string_view origin_name(Origin origin) {
  switch (origin) {
    case Origin::Admin:
      return "admin";
    case Origin::Prometheus:
      return "prometheus";
    case Origin::Transparent:
      return "transparent";
    case Origin::Inbound:
      return "inbound";
    case Origin::Outbound:
      return "outbound";
    case Origin::DirectAccess:
      return "direct-access";
    case Origin::Tracing:
      return "tracing";
    case Origin::Probe:
      return "probe";
    case Origin::Dns:
      return "dns";
    case Origin::Secrets:
      return "secrets";
    case Origin::Gateway:
      return "gateway";
    case Origin::Ingress:
      return "ingress";
    case Origin::Egress:
      return "egress";
    case Origin::MeshProxyPatch:
      return "mesh-proxy-patch";
    case Origin::ProxyTemplateRaw:
      return "proxy-template-raw";
    case Origin::ProxyTemplateModifications:
      return "proxy-template-modifications";
    case Origin::AccessLog:
      return "meshaccesslog";
    case Origin::Trace:
      return "mesh-trace";
  }
  return "";
}

void ProxyResources::need_mesh_secrets(std::string_view mesh, std::string_view peer_mesh) {
  secrets.insert({SecretRef::Kind::Identity, std::string(mesh), envoy::identity_secret_name(mesh)});
  secrets.insert({SecretRef::Kind::Ca, std::string(peer_mesh), envoy::ca_secret_name(peer_mesh)});
}

}  // namespace kuma::policy
