#include "api/wiring.h"

#include <mutex>

#include "base/status.h"
#include "manager/names.h"
#include "security/authority.h"

namespace kuma::api {
namespace {

absl::StatusOr<std::shared_ptr<const net::TlsContext>> build_admin_tls(const std::string& authority_pem, WallTime now) {
  KUMA_ASSIGN_OR_RETURN(const security::AuthorityPtr authority,
                        security::Authority::load(authority_pem, authority_pem));
  KUMA_ASSIGN_OR_RETURN(const security::KeyPair client, security::issue_admin_client(*authority, now));
  net::TlsClientConfig config;
  config.ca_pem = authority->certificate().to_pem();
  config.certificate_pem = client.certificate_pem;
  config.key_pem = client.key_pem;
  return net::make_tls_client(config);
}

}  // namespace

ResourceWriter make_writer(manager::ResourceManager& manager) {
  ResourceWriter writer;
  writer.create = [&manager](model::Resource resource) { return manager.create(std::move(resource)).status(); };
  writer.update = [&manager](model::Resource resource) { return manager.update(std::move(resource)).status(); };
  writer.remove = [&manager](const model::ResourceType& type, const model::ResourceKey& key) {
    return manager.remove(type, key);
  };
  return writer;
}

TokenIssuers make_token_issuers(const manager::TokenIssuer& issuer, const config::Config& config) {
  TokenIssuers issuers;
  if (config.dp_server.authn.dp_proxy.token.enable_issuer) {
    issuers.dataplane = [&issuer](const security::DataplaneClaims& claims, std::chrono::nanoseconds valid_for) {
      return issuer.dataplane(claims, valid_for);
    };
  }
  if (config.dp_server.authn.zone_proxy.token.enable_issuer) {
    issuers.zone = [&issuer](const security::ZoneClaims& claims, std::chrono::nanoseconds valid_for) {
      return issuer.zone(claims, valid_for);
    };
  }
  // No setting switches off the old kind of token for ingresses.
  issuers.zone_ingress = [&issuer](const std::string& zone, std::chrono::nanoseconds valid_for) {
    return issuer.zone_ingress(zone, valid_for);
  };
  if (config.api_server.authn.tokens.enable_issuer) {
    issuers.user = [&issuer](const security::UserClaims& claims, std::chrono::nanoseconds valid_for) {
      return issuer.user(claims, valid_for);
    };
  }
  return issuers;
}

std::function<absl::StatusOr<User>(std::string_view)> make_authenticator(manager::TokenValidator& validator) {
  return [&validator](std::string_view token) { return validator.user(token); };
}

std::function<void(const std::string&, std::string_view)> make_secret_waiter(manager::PendingSecrets& pending,
                                                                             std::chrono::nanoseconds wait_max) {
  return
      [&pending, wait_max](const std::string& mesh, std::string_view prefix) { pending.wait(mesh, prefix, wait_max); };
}

AdminTls make_admin_tls(const manager::Secrets& secrets, const Clock& clock) {
  struct Last {
    std::mutex mutex;  // guards both
    std::string authority_pem;
    std::shared_ptr<const net::TlsContext> tls;
  };
  return
      [&secrets, &clock, last = std::make_shared<Last>()]() -> absl::StatusOr<std::shared_ptr<const net::TlsContext>> {
        KUMA_ASSIGN_OR_RETURN(std::string authority_pem, secrets.get({"", std::string(manager::kEnvoyAdminCa)}));
        const std::lock_guard lock(last->mutex);
        if (last->tls == nullptr || last->authority_pem != authority_pem) {
          KUMA_ASSIGN_OR_RETURN(last->tls, build_admin_tls(authority_pem, clock.wall_now()));
          last->authority_pem = std::move(authority_pem);
        }
        return last->tls;
      };
}

}  // namespace kuma::api
