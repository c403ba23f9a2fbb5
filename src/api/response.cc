#include "api/response.h"

#include <algorithm>

#include "base/log.h"
#include "base/status.h"
#include "manager/errors.h"
#include "model/rest.h"

namespace kuma::api {
namespace {

constexpr std::string_view kNotValid = "Resource is not valid";
constexpr size_t kHintMax = 300;  // bytes of a header, for which a client's names and values may be used

// The manager reports a missing mesh as a violation; clients see it with a detail of its own.
bool is_missing_mesh(const std::vector<Violation>& violations) {
  return violations.size() == 1 && violations[0].field == "mesh" &&
         violations[0].message.starts_with("mesh of name ") && violations[0].message.ends_with(" is not found");
}

json::array parameters(const Violations& violations, std::string_view text_member) {
  json::array out;
  out.reserve(violations.list().size());
  for (const Violation& violation : violations.list()) {
    out.push_back(json::object{{"field", violation.field}, {text_member, violation.message}});
  }
  return out;
}

// What helps the user and the error's body has no place for, as clients compare it: where a body does not decode, and why a
// mesh does not take a dataplane, which is an internal error by its status (spec/resources.md §5.2).
std::string hint_of(const absl::Status& status) {
  return manager::is_refused_membership(status) ? std::string(message_of(status)) : model::decode_hint_of(status);
}

ApiError internal_error(const absl::Status& status, std::string_view operation) {
  make_logger("api")->error("{}: {}", operation, status.ToString());
  return {500, std::string(operation), "Internal Server Error"};
}

}  // namespace

net::HttpResponse json_response(int status, const json::value& body) {
  net::HttpResponse response;
  response.status = status;
  response.headers.add("Content-Type", std::string(kJsonType));
  response.body = to_pretty_json(body);
  return response;
}

net::HttpResponse text_response(int status, std::string body, std::string_view content_type) {
  net::HttpResponse response;
  response.status = status;
  response.headers.add("Content-Type", std::string(content_type));
  response.body = std::move(body);
  return response;
}

net::HttpResponse empty_response(int status) {
  net::HttpResponse response;
  response.status = status;
  return response;
}

net::HttpResponse error_response(const ApiError& error) {
  json::object body;
  body["type"] = "/std-errors";
  body["status"] = error.status;
  body["title"] = error.title;
  body["detail"] = error.detail;
  if (!error.parameters.empty()) {
    body["invalid_parameters"] = parameters(error.parameters, "reason");
  }
  body["details"] = error.detail;
  if (!error.parameters.empty()) {
    body["causes"] = parameters(error.parameters, "message");
  }
  return json_response(error.status, body);
}

ApiError api_error(const absl::Status& status, std::string_view operation) {
  const std::string message(status.message());
  if (Violations violations = violations_of(status); !violations.empty()) {
    const bool missing_mesh = is_missing_mesh(violations.list());
    return {400, std::string(operation), missing_mesh ? "Mesh is not found" : std::string(kNotValid),
            std::move(violations)};
  }
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      if (message.starts_with("there is no signing key")) {
        return {404, "Signing Key not found", message};
      }
      return {404, std::string(operation), "Not found"};
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
      return {400, "Bad Request", message};
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return {409, "Conflict", message};
    case absl::StatusCode::kPermissionDenied:
      return {403, "Access Denied", message};
    case absl::StatusCode::kUnauthenticated:
      return {401, "Invalid authentication data", "Unauthenticated"};
    case absl::StatusCode::kUnavailable:
      make_logger("api")->error("{}: {}", operation, message);
      return {503, "Service unavailable", "Service unavailable"};
    case absl::StatusCode::kResourceExhausted:  // such as a full disk: whoever asks has to know, as only they can help
      make_logger("api")->error("{}: {}", operation, message);
      return {503, "Service unavailable", message};
    default:
      return internal_error(status, operation);
  }
}

net::HttpResponse error_response(const absl::Status& status, std::string_view operation) {
  net::HttpResponse response = error_response(api_error(status, operation));
  if (std::string hint = hint_of(status); !hint.empty()) {
    hint.resize(std::min(hint.size(), kHintMax));
    std::replace_if(hint.begin(), hint.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    response.headers.add("kuma-hint", std::move(hint));
  }
  return response;
}

net::HttpResponse violations_response(std::string_view title, const Violations& violations) {
  return error_response(ApiError{400, std::string(title), std::string(kNotValid), violations});
}

}  // namespace kuma::api
