#include "api/response.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "api/testing.h"
#include "manager/errors.h"

namespace kuma::api {
namespace {

using testing::error_body;

constexpr char kTitle[] = "Could not create a resource";

std::string body_of(const absl::Status& status) { return error_response(status, kTitle).body; }

TEST(Error_response, Has_all_members_in_the_order_that_clients_see) {
  Violations violations;
  violations.add("conf", "has to be defined");
  violations.add("", "a \"quoted\" <text>");
  EXPECT_EQ(error_response(violations.to_status(), "Could not process a resource").body, R"({
 "type": "/std-errors",
 "status": 400,
 "title": "Could not process a resource",
 "detail": "Resource is not valid",
 "invalid_parameters": [
  {
   "field": "conf",
   "reason": "has to be defined"
  },
  {
   "field": "",
   "reason": "a \"quoted\" <text>"
  }
 ],
 "details": "Resource is not valid",
 "causes": [
  {
   "field": "conf",
   "message": "has to be defined"
  },
  {
   "field": "",
   "message": "a \"quoted\" <text>"
  }
 ]
}
)");
}

TEST(Error_response, Is_JSON) {
  const net::HttpResponse response = error_response(absl::NotFoundError("x"), kTitle);
  EXPECT_EQ(response.headers.get("content-type"), "application/json");
}

TEST(Error_response, Knows_each_row_of_the_table) {
  Violations mesh;
  mesh.add("mesh", "mesh of name m is not found");
  EXPECT_EQ(body_of(mesh.to_status()),
            error_body(400, kTitle, "Mesh is not found", {{"mesh", "mesh of name m is not found"}}));
  EXPECT_EQ(body_of(absl::NotFoundError("Resource not found: type=\"Mesh\" name=\"m\"")),
            error_body(404, kTitle, "Not found"));
  EXPECT_EQ(body_of(absl::InvalidArgumentError("invalid Mesh object: 'x'")),
            error_body(400, "Bad Request", "invalid Mesh object: 'x'"));
  EXPECT_EQ(body_of(absl::FailedPreconditionError("stream to execute stats operations is not yet connected")),
            error_body(400, "Bad Request", "stream to execute stats operations is not yet connected"));
  EXPECT_EQ(
      body_of(absl::NotFoundError("there is no signing key with KID 1. GlobalSecret of name \"x\" is not found.")),
      error_body(404, "Signing Key not found",
                 "there is no signing key with KID 1. GlobalSecret of name \"x\" is not found."));
  const std::string conflict = "resource conflict: type=\"Mesh\" name=\"m\" mesh=\"\"";
  EXPECT_EQ(body_of(absl::AbortedError(conflict)), error_body(409, "Conflict", conflict));
  EXPECT_EQ(body_of(absl::AlreadyExistsError("resource already exists: x")),
            error_body(409, "Conflict", "resource already exists: x"));
  EXPECT_EQ(body_of(absl::UnavailableError("disk")), error_body(503, "Service unavailable", "Service unavailable"));
  EXPECT_EQ(body_of(absl::PermissionDeniedError("action not allowed")),
            error_body(403, "Access Denied", "action not allowed"));
  EXPECT_EQ(body_of(absl::UnauthenticatedError("token is revoked")),
            error_body(401, "Invalid authentication data", "Unauthenticated"));
}

TEST(Error_response, Has_a_header_that_says_what_the_body_cannot) {
  const model::Registry registry(model::core_types());
  const auto response_to = [&](std::string_view text) {
    return error_response(model::from_rest(registry, *parse_json(text)).status(), kTitle);
  };
  const net::HttpResponse response = response_to(R"({"type": "Dataplane", "networking": {"inbound": [{"port": "x"}]}})");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.headers.get("kuma-hint"), "networking.inbound[0].port: expected a whole number from 0 to 4294967295, got the string \"x\"");
  const std::string hint(response_to(R"({"type": "Dataplane", "networking": {"inbound": [{"tags": {"é": [1]}}]}})").headers.get("kuma-hint"));
  EXPECT_TRUE(std::all_of(hint.begin(), hint.end(), [](char c) { return c >= ' ' && c <= '~'; })) << hint;
  EXPECT_FALSE(error_response(absl::NotFoundError("x"), kTitle).headers.has("kuma-hint"));
  EXPECT_FALSE(error_response(absl::InternalError("secret"), kTitle).headers.has("kuma-hint"));
  const net::HttpResponse kept_out = error_response(manager::refused_membership("its tags do not fit"), kTitle);
  EXPECT_EQ(kept_out.status, 500);
  EXPECT_EQ(kept_out.headers.get("kuma-hint"), "its tags do not fit");
}

TEST(Error_response, Tells_no_causes_of_internal_errors) {
  for (const absl::Status& status :
       {absl::InternalError("secret"), absl::UnknownError("secret"), absl::DataLossError("secret")}) {
    EXPECT_EQ(body_of(status), error_body(500, kTitle, "Internal Server Error"));
  }
}

TEST(Error_response, Tells_of_a_full_disk) {
  EXPECT_EQ(body_of(absl::ResourceExhaustedError("no space left on device")),
            error_body(503, "Service unavailable", "no space left on device"));
}

}  // namespace
}  // namespace kuma::api
