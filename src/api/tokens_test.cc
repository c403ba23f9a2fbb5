#include <gtest/gtest.h>

#include "api/testing.h"

namespace kuma::api {
namespace {

using testing::Answer;
using testing::ApiHarness;
using testing::error_body;

struct Tokens : ::testing::Test, ApiHarness {
  Tokens() {
    deps_hook = [](ApiDeps& deps) {
      // Issuers that answer with what they were asked.
      deps.tokens.dataplane = [](const security::DataplaneClaims& token,
                                 std::chrono::nanoseconds valid_for) -> absl::StatusOr<std::string> {
        if (token.mesh == "none") {
          return absl::NotFoundError("there is no signing key with KID 1. x");
        }
        std::string tags;
        for (const auto& [name, values] : token.tags) {
          tags += fmt::format("{}={} ", name, fmt::join(values, "|"));
        }
        return fmt::format("{}/{}/{}/{}{}", token.mesh, token.name, token.type, tags,
                           valid_for / std::chrono::seconds(1));
      };
      deps.tokens.zone = [](const security::ZoneClaims& token, std::chrono::nanoseconds valid_for) {
        return absl::StatusOr<std::string>(
            fmt::format("{}/{}/{}", token.zone, fmt::join(token.scope, ","), valid_for / std::chrono::seconds(1)));
      };
      deps.tokens.zone_ingress = [](const std::string& zone, std::chrono::nanoseconds valid_for) {
        return absl::StatusOr<std::string>(fmt::format("{}/{}", zone, valid_for / std::chrono::seconds(1)));
      };
      deps.tokens.user = [](const User& user, std::chrono::nanoseconds valid_for) {
        return absl::StatusOr<std::string>(
            fmt::format("{}/{}/{}", user.name, fmt::join(user.groups, ","), valid_for / std::chrono::seconds(1)));
      };
    };
  }
  Answer post(std::string kind, std::string body, std::string from = "127.0.0.1") {
    return call({.method = "POST", .target = "/tokens/" + kind, .body = std::move(body), .from = std::move(from)});
  }
  static std::string invalid(std::vector<std::pair<std::string, std::string>> parameters) {
    return error_body(400, "Invalid request", "Resource is not valid", std::move(parameters));
  }
};

TEST_F(Tokens, Answer_undecodable_bodies_with_nothing) {
  for (const char* kind : {"dataplane", "zone", "zone-ingress", "user"}) {
    for (const char* body :
         {"{", "", "[]", R"({"name": 1})", R"({"tags": []})", R"({"tags": {"a": "b"}})", R"({"tags": {"a": [1]}})",
          R"({"groups": "a"})", R"({"scope": {}})", R"({"validFor": 1})"}) {
      const Answer answer = post(kind, body);
      EXPECT_EQ(answer.status, 400) << body;
      EXPECT_EQ(answer.body, "") << body;
      EXPECT_EQ(answer.header("Content-Type"), std::nullopt) << body;
    }
  }
}

TEST_F(Tokens, Name_each_member_that_is_not_valid) {
  EXPECT_EQ(post("dataplane", "{}").body, invalid({{"mesh", "cannot be empty"}}));
  EXPECT_EQ(post("dataplane", R"({"mesh": "m", "type": "sidecar", "validFor": "1 day"})").body,
            invalid({{"validFor", "is invalid: time: unknown unit \" day\" in duration \"1 day\""},
                     {"type", "sidecar is not a valid proxy type"}}));
  EXPECT_EQ(post("zone", R"({"zone": "z"})").body, invalid({{"scope", "cannot be empty"}}));
  EXPECT_EQ(post("zone", R"({"zone": "z", "scope": null})").body, invalid({{"scope", "cannot be empty"}}));
  EXPECT_EQ(post("zone", R"({"scope": [], "validFor": "x"})").body,
            invalid({{"validFor", "is invalid: time: invalid duration \"x\""}}));
  EXPECT_EQ(post("zone-ingress", "{}").body, invalid({{"zone", "cannot be empty"}}));
  EXPECT_EQ(post("user", "{}").body, invalid({{"name", "cannot be empty"}, {"validFor", "cannot be empty"}}));
  EXPECT_EQ(post("user", R"({"name": "j", "validFor": "3"})").body,
            invalid({{"validFor", "is invalid: time: missing unit in duration \"3\""},
                     {"validFor", "cannot be empty or nil"}}));
  EXPECT_EQ(post("user", R"({"name": "j", "validFor": "0s"})").body, invalid({{"validFor", "cannot be empty or nil"}}));
}

TEST_F(Tokens, Are_for_administrators) {
  const std::string refused = error_body(403, "Access Denied", "action not allowed");
  EXPECT_EQ(post("dataplane", R"({"mesh": "m"})", "10.0.0.1").body, refused);
  EXPECT_EQ(post("dataplane", "{}", "10.0.0.1").status, 400);
  for (const char* kind : {"zone", "zone-ingress", "user"}) {
    EXPECT_EQ(post(kind, "{}", "10.0.0.1").body, refused) << kind;
  }
}

TEST_F(Tokens, Tell_of_a_missing_signing_key) {
  EXPECT_EQ(post("dataplane", R"({"mesh": "none"})").body,
            error_body(404, "Signing Key not found", "there is no signing key with KID 1. x"));
}

TEST_F(Tokens, Are_refused_when_issuing_is_disabled) {
  deps_hook = nullptr;
  const std::string refused =
      error_body(400, "Could not issue a token", "issuing tokens using the control plane is disabled.");
  EXPECT_EQ(post("dataplane", R"({"mesh": "m"})").body, refused);
  EXPECT_EQ(post("dataplane", "{}").body, invalid({{"mesh", "cannot be empty"}}));
  EXPECT_EQ(post("zone", R"({"scope": ["ingress"]})").body, refused);
  EXPECT_EQ(post("zone-ingress", R"({"zone": "z"})").body, refused);
  EXPECT_EQ(post("user", R"({"name": "j", "validFor": "1h"})").body, refused);
}

TEST_F(Tokens, Are_issued_as_text_on_the_worker) {
  const Answer answer = post(
      "dataplane",
      R"({"mesh": "m", "name": "web-1", "tags": {"b": ["2", "3"], "a": ["1"]}, "type": "dataplane", "validFor": "1h30m"})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "text/plain");
  EXPECT_EQ(answer.body, "m/web-1/dataplane/a=1 b=2|3 5400");
  EXPECT_EQ(worker.done, 1);
  EXPECT_EQ(post("dataplane", R"({"mesh": "m"})").body, "m///315360000");
  EXPECT_EQ(post("zone", R"({"scope": []})").body, "//315360000");
  EXPECT_EQ(post("zone", R"({"zone": "z", "scope": ["ingress", "cp"], "validFor": "10m"})").body, "z/ingress,cp/600");
  EXPECT_EQ(post("zone-ingress", R"({"zone": "z"})").body, "z/315360000");
  EXPECT_EQ(post("user", R"({"name": "john", "groups": ["a", "b"], "validFor": "24h"})").body, "john/a,b/86400");
}

TEST_F(Tokens, Are_issued_to_those_whom_settings_allow) {
  config.access.generate_dp_token = {{"mesh-system:anonymous"}, {}};
  EXPECT_EQ(post("dataplane", R"({"mesh": "m"})", "10.0.0.1").status, 200);
  EXPECT_EQ(post("zone-ingress", R"({"zone": "z"})", "10.0.0.1").status, 200);
  EXPECT_EQ(post("user", R"({"name": "j", "validFor": "1h"})", "10.0.0.1").status, 403);
}

}  // namespace
}  // namespace kuma::api
