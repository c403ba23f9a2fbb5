#include "api/access.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "api/words.h"
#include "base/status.h"
#include "base/text.h"

namespace kuma::api {
namespace {

constexpr std::string_view kBearer = "Bearer ";

User administrator() { return {std::string(kAdminName), {std::string(kAdminName), std::string(kAuthenticatedGroup)}}; }

User anonymous() { return {"mesh-system:anonymous", {"mesh-system:unauthenticated"}}; }

bool came_through_something(const net::Headers& headers) {
  static constexpr std::string_view kSigns[] = {"origin",           "forwarded",         "via",      "x-forwarded-for",
                                                "x-forwarded-host", "x-forwarded-proto", "x-real-ip"};
  return std::any_of(std::begin(kSigns), std::end(kSigns), [&](std::string_view name) { return headers.has(name); });
}

// `host`, `host:port`, `[::1]:port` without the port.
std::string_view host_without_port(std::string_view host) {
  if (host.starts_with('[')) {
    return host.substr(1, std::min(host.find(']'), host.size()) - 1);
  }
  return host.substr(0, std::min(host.find(':'), host.size()));
}

bool is_own_host(std::string_view host, std::string_view hostname) {
  const std::string_view name = host_without_port(host);
  return name.empty() || equal_ignoring_case(name, "localhost") || equal_ignoring_case(name, hostname) ||
         is_ip_address(name);
}

bool is_local_administrator(const net::HttpRequest& request, const ApiDeps& deps) {
  return deps.config.api_server.authn.localhost_is_admin &&
         (request.peer.address == "127.0.0.1" || request.peer.address == "::1") &&
         !came_through_something(request.headers) && is_own_host(request.headers.get("host"), deps.hostname);
}

}  // namespace

absl::StatusOr<User> authenticate(const net::HttpRequest& request, const ApiDeps& deps) {
  if (is_local_administrator(request, deps)) {
    return administrator();
  }
  const std::string& type = deps.config.api_server.authn.type;
  if (type == "adminClientCerts") {
    return request.peer.verified_client_certificate ? administrator() : anonymous();
  }
  const std::string_view credential = request.headers.get("authorization");
  if (type != "tokens" || !credential.starts_with(kBearer)) {
    return anonymous();
  }
  if (deps.authenticate == nullptr) {
    return absl::UnauthenticatedError("no token is accepted");
  }
  auto user = deps.authenticate(credential.substr(kBearer.size()));
  if (!user.ok()) {
    return absl::UnauthenticatedError(user.status().message());
  }
  user->groups.emplace_back(kAuthenticatedGroup);
  return user;
}

bool allows(const config::AccessList& list, const User& user) {
  if (std::find(list.users.begin(), list.users.end(), user.name) != list.users.end()) {
    return true;
  }
  return std::any_of(user.groups.begin(), user.groups.end(), [&](const std::string& group) {
    return std::find(list.groups.begin(), list.groups.end(), group) != list.groups.end();
  });
}

absl::Status check_allowed(const config::AccessList& list, const User& user) {
  return allows(list, user) ? absl::OkStatus() : absl::PermissionDeniedError("action not allowed");
}

absl::Status check_resource_access(const ApiDeps& deps, const model::ResourceType& type, const User& user) {
  if (!type.admin_only || allows(deps.config.access.admin_resources, user)) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(fmt::format("user \"{}/{}\" cannot access the resource of type \"{}\"", user.name,
                                                 absl::StrJoin(user.groups, ","), type.name));
}

}  // namespace kuma::api
