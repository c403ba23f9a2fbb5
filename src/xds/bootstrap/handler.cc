#include "xds/bootstrap/handler.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "base/violations.h"
#include "fmt/ranges.h"
#include "mesh/v1alpha1/zone_ingress.pb.h"
#include "mesh/v1alpha1/zoneegress.pb.h"
#include "model/gateways.h"
#include "model/rest.h"
#include "security/certificate.h"
#include "xds/bootstrap/envoy_config.h"
#include "xds/bootstrap/request.h"
#include "xds/bootstrap/sidecar_config.h"

namespace kuma::bootstrap {
namespace {

namespace pb = ::kuma::mesh::v1alpha1;

constexpr std::string_view kTokenRequired =
    "Dataplane Token is required. Generate token using 'kumactl generate dataplane-token > /path/file' and provide it via "
    "--dataplane-token-file=/path/file argument to Kuma DP";
constexpr std::string_view kNotACa =
    "A data plane proxy is trying to verify the control plane using the certificate which is not a certificate authority "
    "(basic constraint 'CA' is set to 'false').\nProvide CA that was used to sign a certificate used in the control plane "
    "by using 'kuma-dp run --ca-cert-file=file' or via KUMA_CONTROL_PLANE_CA_CERT_FILE";

// Why a request is refused: what the client gets, and what only our log says.
struct Refusal {
  int status = 500;
  std::string text;
  std::string cause;
};
template <typename T>
using OrRefusal = std::variant<T, Refusal>;

Refusal internal(std::string_view cause) { return {500, "", std::string(cause)}; }

// ---------------------------------------------------------------- the control plane's certificate

std::vector<std::string> names_of(const std::string& certificate_pem) {
  std::vector<std::string> names;
  const auto certificates = security::Certificate::parse_pem(certificate_pem);
  if (certificates.ok()) {
    for (const security::AltName& name : certificates->front().names()) {
      if (name.kind != security::AltName::Kind::Uri) {
        names.push_back(name.value);
      }
    }
  }
  std::ranges::sort(names);
  return names;
}

// Texts in quotes, separated by spaces, in brackets.
std::string quoted_list(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) {
    list += list.empty() ? "" : " ";
    list += to_json(json::value(text));
  }
  return "[" + list + "]";
}

std::optional<Refusal> check_host(const std::string& host, const std::string& certificate_pem) {
  const std::vector<std::string> names = names_of(certificate_pem);
  if (std::ranges::find(names, host) != names.end()) {
    return std::nullopt;
  }
  return Refusal{
      400,
      fmt::format(
          "A data plane proxy is trying to connect to the control plane using {} address, but the certificate in the "
          "control plane has the following SANs {}. Either change the --cp-address in kuma-dp to one of those or execute "
          "the following steps:\n"
          "1) Generate a new certificate with the address you are trying to use. It is recommended to use trusted "
          "Certificate Authority, but you can also generate self-signed certificates using 'kumactl generate "
          "tls-certificate --type=server --cp-hostname={}'\n"
          "2) Set KUMA_GENERAL_TLS_CERT_FILE and KUMA_GENERAL_TLS_KEY_FILE or the equivalent in Kuma CP config file to the "
          "new certificate.\n"
          "3) Restart the control plane to read the new certificate and start kuma-dp.",
          to_json(json::value(host)), quoted_list(names), host),
      fmt::format("{} is not among the names of the certificate", host)};
}

std::optional<Refusal> check_ca(const std::string& ca_pem) {
  const auto certificates = security::Certificate::parse_pem(ca_pem);
  if (!certificates.ok()) {
    return internal(fmt::format("the CA certificate can't be read: {}", message_of(certificates.status())));
  }
  if (certificates->front().denies_ca()) {
    return Refusal{400, std::string(kNotACa), "the CA certificate is none of a CA"};
  }
  return std::nullopt;
}

// `host` of `host`, `host:5678`, `[::1]:5678`.
std::string host_of(std::string_view authority) {
  if (authority.starts_with('[')) {
    return std::string(authority.substr(1, authority.find(']') - 1));
  }
  return std::string(authority.substr(0, authority.find(':')));
}

// ---------------------------------------------------------------- the proxy's resource

std::string_view resource_type_of(ProxyType type) {
  switch (type) {
    case ProxyType::Dataplane:
      return "Dataplane";
    case ProxyType::Ingress:
      return "ZoneIngress";
    case ProxyType::Egress:
      return "ZoneEgress";
  }
  return "";
}

std::optional<Refusal> check_dataplane(const model::Resource& resource, const HandlerParts& parts) {
  const auto& networking = resource.as<pb::Dataplane>().networking();
  if (networking.has_transparent_proxying() && !networking.outbound().empty()) {
    constexpr std::string_view kText = "outbound: should be empty since dataplane is in Transparent Proxying mode";
    return Refusal{422, std::string(kText), std::string(kText)};
  }
  const std::string& mesh = resource.meta.mesh;
  if (!parts.store.get(*parts.registry.find("Mesh"), {"", mesh}).ok()) {
    const std::string text = fmt::format("mesh: mesh {} does not exist", to_json(json::value(mesh)));
    return Refusal{422, text, text};
  }
  return std::nullopt;
}

// The resource that kuma-dp brings along.
OrRefusal<model::ResourcePtr> read_resource(const Request& request, const model::ResourceType& type,
                                            const HandlerParts& parts) {
  const auto document = parse_yaml(request.resource);
  if (!document.ok()) {
    return internal(fmt::format("the resource can't be read: {}", message_of(document.status())));
  }
  auto parsed = model::from_rest(parts.registry, *document);
  if (!parsed.ok()) {
    const Violations violations = violations_of(parsed.status());
    if (violations.empty()) {
      return internal(fmt::format("the resource can't be read: {}", message_of(parsed.status())));
    }
    return Refusal{422, violations.text(), violations.text()};
  }
  if (parsed->resource.type != &type) {
    return internal(fmt::format("the resource is a {}, which is no {}", parsed->resource.type->name, type.name));
  }
  if (type.name == "Dataplane") {
    if (auto refusal = check_dataplane(parsed->resource, parts)) {
      return *std::move(refusal);
    }
  }
  return std::make_shared<const model::Resource>(std::move(parsed->resource));
}

OrRefusal<model::ResourcePtr> find_resource(const Request& request, ProxyType type, const HandlerParts& parts) {
  const model::ResourceType& resource_type = *parts.registry.find(resource_type_of(type));
  if (!request.resource.empty()) {
    return read_resource(request, resource_type, parts);
  }
  const model::ResourceKey key{type == ProxyType::Dataplane ? request.mesh : std::string(), request.name};
  auto stored = parts.store.get(resource_type, key);
  if (!stored.ok()) {
    return Refusal{404, "", std::string(message_of(stored.status()))};
  }
  return *std::move(stored);
}

// ---------------------------------------------------------------- the answer

std::string service_of(const pb::Dataplane& dataplane) {
  const auto find_service = [](const auto& tags) {
    const auto found = tags.find("kuma.io/service");
    return found == tags.end() ? std::string("unknown") : found->second;
  };
  const auto& networking = dataplane.networking();
  if (networking.has_gateway()) {
    return find_service(networking.gateway().tags());
  }
  return networking.inbound().empty() ? std::string("unknown") : find_service(networking.inbound(0).tags());
}

uint32_t admin_port_of(const model::Resource& resource) {
  if (resource.type->name == "Dataplane") {
    return resource.as<pb::Dataplane>().networking().admin().port();
  }
  if (resource.type->name == "ZoneIngress") {
    return resource.as<pb::ZoneIngress>().networking().admin().port();
  }
  return resource.as<pb::ZoneEgress>().networking().admin().port();
}

EnvoySettings settings_of(const Request& request, ProxyType type, const model::Resource& resource,
                          const std::string& host, const HandlerParts& parts) {
  const config::BootstrapServer& params = parts.config.bootstrap_server;
  EnvoySettings settings;
  settings.type = type;
  if (type == ProxyType::Dataplane) {
    const auto& dataplane = resource.as<pb::Dataplane>();
    settings.service = service_of(dataplane);
    settings.builtin_gateway = model::is_builtin_gateway(dataplane);
  } else {
    settings.service = type == ProxyType::Ingress ? "ingress" : "egress";
  }
  settings.admin_address = params.admin_address;
  settings.admin_port = admin_port_of(resource) != 0 ? admin_port_of(resource) : params.admin_port;
  settings.admin_access_log_path = params.admin_access_log_path;
  settings.xds_host = host;
  settings.xds_port = params.xds_port;
  settings.xds_host_is_ipv4_only =
      !is_ip_address(host) && host != "localhost" && parts.has_ipv6 != nullptr && !parts.has_ipv6(host);
  settings.xds_connect_timeout = params.xds_connect_timeout;
  settings.ca_pem = request.ca_cert.empty() ? parts.certificate_pem : request.ca_cert;
  settings.reloadable_tokens = parts.config.dp_server.authn.enable_reloadable_tokens;
  settings.hds_enabled = parts.config.dp_server.hds.enabled;
  if (const int32_t max = parts.config.proxy_gateway_global_downstream_max_connections; max > 0) {
    settings.gateway_connections_max = static_cast<uint32_t>(max);
  }
  settings.temp_dir = parts.temp_dir;
  return settings;
}

struct Answer {
  std::string envoy_config;  // YAML
  json::object sidecar;
};

json::object sidecar_of(ProxyType type, const model::Resource& resource, const HandlerParts& parts) {
  if (type != ProxyType::Dataplane) {
    return build_sidecar_config(nullptr, nullptr);
  }
  const auto mesh = parts.store.get(*parts.registry.find("Mesh"), {"", resource.meta.mesh});
  return build_sidecar_config(&resource.as<pb::Dataplane>(), mesh.ok() ? &(*mesh)->as<pb::Mesh>() : nullptr);
}

bool needs_token(ProxyType type, const config::DpServer::Authn& authn) {
  return (type == ProxyType::Dataplane ? authn.dp_proxy : authn.zone_proxy).type != "none";
}

OrRefusal<Answer> answer(const Request& request, const net::HttpRequest& http, const HandlerParts& parts) {
  const auto type = parse_proxy_type(request.proxy_type);
  if (!type.ok()) {
    return internal(message_of(type.status()));
  }
  if (needs_token(*type, parts.config.dp_server.authn) && request.token.empty() && request.token_path.empty()) {
    return Refusal{422, std::string(kTokenRequired), "it has no token"};
  }
  std::string host = parts.config.bootstrap_server.xds_host;
  if (host.empty()) {
    host = host_of(http.headers.get("host"));
    if (auto refusal = check_host(host, parts.certificate_pem)) {
      return *std::move(refusal);
    }
  }
  auto resource = find_resource(request, *type, parts);
  if (auto* refusal = std::get_if<Refusal>(&resource)) {
    return std::move(*refusal);
  }
  if (auto refusal = check_ca(request.ca_cert.empty() ? parts.certificate_pem : request.ca_cert)) {
    return *std::move(refusal);
  }
  const model::Resource& proxy = *std::get<model::ResourcePtr>(resource);
  const EnvoySettings settings = settings_of(request, *type, proxy, host, parts);
  return Answer{to_yaml(build_envoy_config(request, settings)), sidecar_of(*type, proxy, parts)};
}

net::HttpResponse refuse(const Refusal& refusal, const Request* request, const net::HttpRequest& http) {
  make_logger("bootstrap")
      ->warn("{} {} in mesh \"{}\" at {} gets no bootstrap ({}): {}", request == nullptr ? "a proxy" : request->proxy_type,
             request == nullptr ? "" : request->name, request == nullptr ? "" : request->mesh, http.peer.address,
             refusal.status, refusal.cause);
  net::HttpResponse response{.status = refusal.status, .headers = {}, .body = refusal.text};
  response.headers.add("content-type", "text/plain; charset=utf-8");
  return response;
}

}  // namespace

net::HttpResponse handle_bootstrap(const net::HttpRequest& http, const HandlerParts& parts) {
  const auto request = parse_request(http.body);
  if (!request.ok()) {
    return refuse({400, "", std::string(message_of(request.status()))}, nullptr, http);
  }
  const auto result = answer(*request, http, parts);
  if (const auto* refusal = std::get_if<Refusal>(&result)) {
    return refuse(*refusal, &*request, http);
  }
  const auto& [envoy_config, sidecar] = std::get<Answer>(result);
  net::HttpResponse response;
  if (http.headers.get("accept") == "application/json") {
    response.headers.add("content-type", "application/json");
    response.body = to_json(json::object{{"bootstrap", base64_encode(envoy_config)}, {"kumaSidecarConfiguration", sidecar}});
  } else {
    response.headers.add("content-type", "text/x-yaml");
    response.body = envoy_config;
  }
  return response;
}

net::HttpHandler make_http_handler(HandlerParts parts) {
  const auto shared = std::make_shared<const HandlerParts>(std::move(parts));
  return [shared](net::HttpRequest request, net::HttpResponder responder) {
    if (request.target.substr(0, request.target.find('?')) != "/bootstrap") {
      net::HttpResponse response{.status = 404, .headers = {}, .body = "404 page not found\n"};
      response.headers.add("content-type", "text/plain; charset=utf-8");
      response.headers.add("x-content-type-options", "nosniff");
      responder.send(std::move(response));
      return;
    }
    // std::function wants what it holds to be copyable.
    const auto call = std::make_shared<std::pair<net::HttpRequest, net::HttpResponder>>(std::move(request), std::move(responder));
    const bool accepted = shared->run_on_worker([shared, call] { call->second.send(handle_bootstrap(call->first, *shared)); });
    if (!accepted) {
      call->second.send({.status = 503, .headers = {}, .body = {}});
    }
  };
}

absl::Status check_xds_host(const config::Config& config, const std::string& certificate_pem) {
  const std::string& host = config.bootstrap_server.xds_host;
  const std::vector<std::string> names = names_of(certificate_pem);
  if (host.empty() || std::ranges::find(names, host) != names.end()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      fmt::format("hostname: {} set by KUMA_BOOTSTRAP_SERVER_PARAMS_XDS_HOST is not available in the DP Server certificate. "
                  "Available hostnames: {}. Change the hostname or generate certificate with proper hostname.",
                  host, fmt::format("[{}]", fmt::join(names, " "))));
}

}  // namespace kuma::bootstrap
