#include "api/access.h"

#include <gtest/gtest.h>

#include "api/testing.h"

namespace kuma::api {
namespace {

using testing::Answer;
using testing::ApiHarness;
using testing::Call;
using testing::error_body;

constexpr char kAdmin[] = R"({"name":"mesh-system:admin","groups":["mesh-system:admin","mesh-system:authenticated"]})";
constexpr char kAnonymous[] = R"({"name":"mesh-system:anonymous","groups":["mesh-system:unauthenticated"]})";

struct Access : ::testing::Test, ApiHarness {
  Access() {
    deps_hook = [](ApiDeps& deps) {
      deps.authenticate = [](std::string_view token) -> absl::StatusOr<User> {
        if (token == "good") {
          return User{"john", {"team-a", "team-b"}};
        }
        return absl::UnauthenticatedError("token is revoked");
      };
    };
  }
  std::string who(Call request) {
    request.target = "/who-am-i";
    const Answer answer = call(std::move(request));
    return answer.status == 200 ? to_json(parse_json(answer.body).value())
                                : fmt::format("{} {}", answer.status, answer.body);
  }
};

TEST_F(Access, Refuses_bad_tokens_on_any_path) {
  const std::string refused = error_body(401, "Invalid authentication data", "Unauthenticated");
  for (const char* path : {"/who-am-i", "/meshes", "/nothing", "/meshes/m"}) {
    const Answer answer = call({.target = path, .headers = {{"authorization", "Bearer bad"}}, .from = "10.0.0.1"});
    EXPECT_EQ(answer.status, 401) << path;
    EXPECT_EQ(answer.body, refused) << path;
  }
}

TEST_F(Access, Knows_the_bearer_of_a_token) {
  EXPECT_EQ(who({.headers = {{"authorization", "Bearer good"}}, .from = "10.0.0.1"}),
            R"({"name":"john","groups":["team-a","team-b","mesh-system:authenticated"]})");
}

TEST_F(Access, Ignores_other_schemes_and_takes_everybody_else_for_anonymous) {
  EXPECT_EQ(who({.from = "10.0.0.1"}), kAnonymous);
  EXPECT_EQ(who({.headers = {{"authorization", "Basic am9objpwdw=="}}, .from = "10.0.0.1"}), kAnonymous);
  EXPECT_EQ(who({.headers = {{"authorization", "bearer bad"}}, .from = "10.0.0.1"}), kAnonymous);
}

TEST_F(Access, Takes_a_local_caller_for_the_administrator_whatever_the_token) {
  EXPECT_EQ(who({}), kAdmin);
  EXPECT_EQ(who({.from = "::1"}), kAdmin);
  EXPECT_EQ(who({.headers = {{"authorization", "Bearer bad"}}}), kAdmin);
  EXPECT_EQ(who({.from = "127.0.0.2"}), kAnonymous);
}

TEST_F(Access, Takes_no_web_page_and_no_proxy_s_client_for_a_local_administrator) {
  for (const char* header :
       {"origin", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via", "x-real-ip"}) {
    EXPECT_EQ(who({.headers = {{header, "x"}}}), kAnonymous) << header;
    EXPECT_EQ(who({.headers = {{header, "x"}, {"authorization", "Bearer good"}}}),
              R"({"name":"john","groups":["team-a","team-b","mesh-system:authenticated"]})");
  }
}

TEST_F(Access, Takes_nobody_for_a_local_administrator_under_a_foreign_host_name) {
  for (const char* host : {"evil.example.com", "evil.example.com:5681", "localhost.example.com"}) {
    EXPECT_EQ(who({.headers = {{"host", host}}}), kAnonymous) << host;
  }
  for (const char* host : {"localhost", "LOCALHOST:5681", "127.0.0.1:5681", "[::1]:5681", "10.0.0.7", "host:5681"}) {
    EXPECT_EQ(who({.headers = {{"host", host}}}), kAdmin) << host;
  }
}

TEST_F(Access, Has_no_local_administrator_when_told_so) {
  config.api_server.authn.localhost_is_admin = false;
  EXPECT_EQ(who({}), kAnonymous);
  EXPECT_EQ(who({.headers = {{"authorization", "Bearer bad"}}}).substr(0, 3), "401");
}

TEST_F(Access, Takes_client_certificates_only_when_told_so) {
  EXPECT_EQ(who({.from = "10.0.0.1", .tls = true, .client_certificate = true}), kAnonymous);
}

TEST_F(Access, Takes_holders_of_client_certificates_for_administrators) {
  config.api_server.authn.type = "adminClientCerts";
  EXPECT_EQ(who({.from = "10.0.0.1", .tls = true}), kAnonymous);
  EXPECT_EQ(who({.from = "10.0.0.1", .tls = true, .client_certificate = true}), kAdmin);
  EXPECT_EQ(who({.headers = {{"authorization", "Bearer bad"}}, .from = "10.0.0.1"}), kAnonymous);
}

TEST(Allows, Looks_at_the_name_and_at_each_group) {
  const config::AccessList list{{"ci"}, {"admins"}};
  EXPECT_TRUE(allows(list, {"ci", {}}));
  EXPECT_TRUE(allows(list, {"x", {"y", "admins"}}));
  EXPECT_FALSE(allows(list, {"x", {"ci"}}));
  EXPECT_FALSE(allows({}, {"", {""}}));
  EXPECT_EQ(check_allowed(list, {"x", {}}), absl::PermissionDeniedError("action not allowed"));
}

}  // namespace
}  // namespace kuma::api
