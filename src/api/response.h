#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/json.h"
#include "base/violations.h"
#include "net/http.h"

namespace kuma::api {

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kTextType = "text/plain; charset=utf-8";

net::HttpResponse json_response(int status, const json::value& body);
net::HttpResponse text_response(int status, std::string body, std::string_view content_type = kTextType);
// Without a body and a Content-Type.
net::HttpResponse empty_response(int status);

// What went wrong, as clients see it (spec/rest-api.md §1.1).
struct ApiError {
  int status = 500;
  std::string title;
  std::string detail;
  Violations parameters{};
};
net::HttpResponse error_response(const ApiError& error);

// The error of a status that came from below: `operation` is the title ("Could not create a resource") of those errors
// that have no title of their own. The causes of internal errors are logged, not told.
ApiError api_error(const absl::Status& status, std::string_view operation);
net::HttpResponse error_response(const absl::Status& status, std::string_view operation);

// A 400 with violations.
net::HttpResponse violations_response(std::string_view title, const Violations& violations);

}  // namespace kuma::api
