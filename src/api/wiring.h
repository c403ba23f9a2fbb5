#pragma once

#include "api/admin_client.h"
#include "api/deps.h"
#include "manager/pending_secrets.h"
#include "manager/resource_manager.h"
#include "manager/token_issuer.h"
#include "manager/token_validator.h"

// The parts of a control plane as the API asks for them. What is passed by reference outlives what is returned.
namespace kuma::api {

ResourceWriter make_writer(manager::ResourceManager& manager);
// Without the issuers that the settings switch off.
TokenIssuers make_token_issuers(const manager::TokenIssuer& issuer, const config::Config& config);
std::function<absl::StatusOr<User>(std::string_view token)> make_authenticator(manager::TokenValidator& validator);
// Waits at most `wait_max` each time.
std::function<void(const std::string& mesh, std::string_view prefix)> make_secret_waiter(
    manager::PendingSecrets& pending, std::chrono::nanoseconds wait_max = std::chrono::seconds(10));

// The client side of proxies' admin listeners, by the authority in the secret `envoy-admin-ca`; made again when that
// changes.
AdminTls make_admin_tls(const manager::Secrets& secrets, const Clock& clock);

}  // namespace kuma::api
