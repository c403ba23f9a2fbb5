#include <map>
#include <optional>

#include "api/access.h"
#include "api/response.h"
#include "api/routes.h"
#include "api/titles.h"
#include "base/status.h"
#include "base/text.h"

namespace kuma::api {
namespace {

constexpr std::chrono::hours kDefaultLifetime{87600};
constexpr std::string_view kEmpty = "cannot be empty";

// The members of a request for a token. Like the decoder of the reference, takes an absent or null member for unset and
// refuses one of another kind.
struct TokenRequest {
  std::string name, mesh, zone, type, valid_for;
  std::map<std::string, std::vector<std::string>> tags;
  std::vector<std::string> groups;
  std::optional<std::vector<std::string>> scope;
};

bool read_text(const json::value& body, std::string_view member, std::string& out) {
  const json::value* value = find(body, member);
  if (value == nullptr || value->is_null()) {
    return true;
  }
  if (value->is_string()) {
    out = value->get_string();
  }
  return value->is_string();
}

bool read_texts(const json::value& value, std::vector<std::string>& out) {
  if (value.is_null()) {
    return true;
  }
  if (!value.is_array()) {
    return false;
  }
  for (const json::value& item : value.get_array()) {
    if (!item.is_string()) {
      return false;
    }
    out.emplace_back(item.get_string());
  }
  return true;
}

bool read_tags(const json::value& body, TokenRequest& out) {
  const json::value* tags = find(body, "tags");
  if (tags == nullptr || tags->is_null()) {
    return true;
  }
  if (!tags->is_object()) {
    return false;
  }
  for (const auto& tag : tags->get_object()) {
    std::vector<std::string> values;
    if (!read_texts(tag.value(), values)) {
      return false;
    }
    out.tags[tag.key()] = std::move(values);
  }
  return true;
}

std::optional<TokenRequest> read_request(const std::string& text) {
  const auto body = parse_json(text);
  if (!body.ok() || !body->is_object()) {
    return std::nullopt;
  }
  TokenRequest out;
  const json::value* groups = find(*body, "groups");
  const json::value* scope = find(*body, "scope");
  bool ok = read_text(*body, "name", out.name) && read_text(*body, "mesh", out.mesh) &&
            read_text(*body, "zone", out.zone) && read_text(*body, "type", out.type) &&
            read_text(*body, "validFor", out.valid_for) && read_tags(*body, out);
  ok = ok && (groups == nullptr || read_texts(*groups, out.groups));
  if (scope != nullptr && !scope->is_null()) {
    ok = ok && read_texts(*scope, out.scope.emplace());
  }
  return ok ? std::optional(std::move(out)) : std::nullopt;
}

// The lifetime asked for; the default when there is none, 0 with a violation when it can't be read.
std::chrono::nanoseconds read_lifetime(const TokenRequest& request, Violations& violations) {
  if (request.valid_for.empty()) {
    return kDefaultLifetime;
  }
  const auto lifetime = parse_go_duration(request.valid_for);
  if (!lifetime.ok()) {
    violations.add("validFor", fmt::format("is invalid: {}", lifetime.status().message()));
    return std::chrono::nanoseconds(0);
  }
  return *lifetime;
}

net::HttpResponse issuer_disabled() {
  return error_response(
      ApiError{400, std::string(titles::kIssueToken), "issuing tokens using the control plane is disabled."});
}

net::HttpResponse token_response(const absl::StatusOr<std::string>& token) {
  return token.ok() ? text_response(200, *token, "text/plain") : error_response(token.status(), titles::kIssueToken);
}

net::HttpResponse issue_dataplane(const ApiDeps& deps, const User& user, const TokenRequest& request) {
  Violations violations;
  if (request.mesh.empty()) {
    violations.add("mesh", std::string(kEmpty));
  }
  const auto lifetime = read_lifetime(request, violations);
  if (!request.type.empty() && request.type != "dataplane" && request.type != "ingress" && request.type != "egress") {
    violations.add("type", fmt::format("{} is not a valid proxy type", request.type));
  }
  if (!violations.empty()) {
    return violations_response(titles::kInvalidRequest, violations);
  }
  if (absl::Status status = check_allowed(deps.config.access.generate_dp_token, user); !status.ok()) {
    return error_response(status, titles::kIssueToken);
  }
  if (deps.tokens.dataplane == nullptr) {
    return issuer_disabled();
  }
  return token_response(deps.tokens.dataplane(
      {.name = request.name, .mesh = request.mesh, .tags = request.tags, .type = request.type}, lifetime));
}

net::HttpResponse issue_zone(const ApiDeps& deps, const User& user, const TokenRequest& request) {
  if (absl::Status status = check_allowed(deps.config.access.generate_zone_token, user); !status.ok()) {
    return error_response(status, titles::kIssueToken);
  }
  Violations violations;
  if (!request.scope) {
    violations.add("scope", std::string(kEmpty));
  }
  const auto lifetime = read_lifetime(request, violations);
  if (!violations.empty()) {
    return violations_response(titles::kInvalidRequest, violations);
  }
  return deps.tokens.zone == nullptr ? issuer_disabled()
                                     : token_response(deps.tokens.zone({request.zone, *request.scope}, lifetime));
}

net::HttpResponse issue_zone_ingress(const ApiDeps& deps, const User& user, const TokenRequest& request) {
  if (absl::Status status = check_allowed(deps.config.access.generate_dp_token, user); !status.ok()) {
    return error_response(status, titles::kIssueToken);
  }
  Violations violations;
  if (request.zone.empty()) {
    violations.add("zone", std::string(kEmpty));
  }
  const auto lifetime = read_lifetime(request, violations);
  if (!violations.empty()) {
    return violations_response(titles::kInvalidRequest, violations);
  }
  return deps.tokens.zone_ingress == nullptr ? issuer_disabled()
                                             : token_response(deps.tokens.zone_ingress(request.zone, lifetime));
}

net::HttpResponse issue_user(const ApiDeps& deps, const User& user, const TokenRequest& request) {
  if (absl::Status status = check_allowed(deps.config.access.generate_user_token, user); !status.ok()) {
    return error_response(status, titles::kIssueToken);
  }
  Violations violations;
  if (request.name.empty()) {
    violations.add("name", std::string(kEmpty));
  }
  std::chrono::nanoseconds lifetime{};
  if (request.valid_for.empty()) {
    violations.add("validFor", std::string(kEmpty));
  } else {
    lifetime = read_lifetime(request, violations);
    if (lifetime == std::chrono::nanoseconds(0)) {
      violations.add("validFor", "cannot be empty or nil");
    }
  }
  if (!violations.empty()) {
    return violations_response(titles::kInvalidRequest, violations);
  }
  return deps.tokens.user == nullptr ? issuer_disabled()
                                     : token_response(deps.tokens.user({request.name, request.groups}, lifetime));
}

using Issue = net::HttpResponse (*)(const ApiDeps&, const User&, const TokenRequest&);

void add(Router& router, const ApiDeps& deps, const std::string& path, Issue issue) {
  router.add({.method = "POST",
              .path = path,
              .handler =
                  [&deps, issue](const Request& request) {
                    const auto body = read_request(request.http.body);
                    return body ? issue(deps, request.user, *body) : empty_response(400);
                  },
              .run_on = RunOn::Worker,
              .answers_json = false,
              // Which stays where it is, whatever the base path.
              .at_root = path == "/tokens/user"});
}

}  // namespace

void add_token_routes(Router& router, const ApiDeps& deps) {
  add(router, deps, "/tokens/dataplane", issue_dataplane);
  add(router, deps, "/tokens/zone", issue_zone);
  add(router, deps, "/tokens/zone-ingress", issue_zone_ingress);
  add(router, deps, "/tokens/user", issue_user);
}

}  // namespace kuma::api
