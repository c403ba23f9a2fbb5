#pragma once

#include <optional>

#include "api/router.h"
#include "config/config.h"

namespace kuma::api {

// Lets pages of the configured origins read what the API answers (spec/rest-api.md §11); without any, nobody.
class Cors {
 public:
  explicit Cors(const config::ApiServer& config) : allowed_(config.cors_allowed_domains) {}

  // Whether the request comes from a page of an allowed origin.
  bool allows(const net::HttpRequest& request) const;
  // What a browser gets that asks beforehand. Nothing: the request is no such question, or of an origin not allowed.
  std::optional<net::HttpResponse> preflight(const net::HttpRequest& request, const Router::Match& match) const;
  // The headers of the answer to a request from an allowed origin.
  static void add_headers(std::string_view origin, net::HttpResponse& response);

 private:
  std::vector<std::string> allowed_;
};

}  // namespace kuma::api
