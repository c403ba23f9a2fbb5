#include "api/cors.h"

#include <algorithm>

#include "api/words.h"

namespace kuma::api {

bool Cors::allows(const net::HttpRequest& request) const {
  const std::string_view origin = request.headers.get("origin");
  return !origin.empty() && std::any_of(allowed_.begin(), allowed_.end(), [&](const std::string& allowed) {
    return allowed == ".*" || equal_ignoring_case(allowed, origin);
  });
}

std::optional<net::HttpResponse> Cors::preflight(const net::HttpRequest& request, const Router::Match& match) const {
  const std::string_view method = request.headers.get("access-control-request-method");
  if (request.method != "OPTIONS" || method.empty() || !allows(request)) {
    return std::nullopt;
  }
  net::HttpResponse response;
  // No request header is allowed, so a page of another origin can neither send JSON nor a token.
  const bool wants_headers = !request.headers.get("access-control-request-headers").empty();
  if (match.routes != nullptr && Router::find_method(*match.routes, method) != nullptr && !wants_headers) {
    add_headers(request.headers.get("origin"), response);
    response.headers.add("Access-Control-Allow-Methods", Router::allowed_methods(*match.routes, ","));
    response.headers.add("Access-Control-Allow-Headers", "");
  }
  return response;
}

void Cors::add_headers(std::string_view origin, net::HttpResponse& response) {
  response.headers.add("Access-Control-Allow-Origin", std::string(origin));
  response.headers.add("Access-Control-Expose-Headers", "Access-Control-Allow-Origin");
  response.headers.add("Vary", "Origin");
}

}  // namespace kuma::api
