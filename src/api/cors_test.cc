#include "api/cors.h"

#include <gtest/gtest.h>

#include "api/testing.h"

namespace kuma::api {
namespace {

using testing::Answer;
using testing::ApiHarness;

constexpr char kOrigin[] = "https://gui.example.com";

struct CorsTest : ::testing::Test, ApiHarness {
  Answer from_page(std::string target, std::string origin = kOrigin) {
    return call({.target = std::move(target), .headers = {{"origin", std::move(origin)}}});
  }
  Answer preflight(std::string method, std::vector<std::pair<std::string, std::string>> more = {}) {
    more.emplace_back("origin", kOrigin);
    more.emplace_back("access-control-request-method", std::move(method));
    return call({.method = "OPTIONS", .target = "/meshes/m", .headers = std::move(more)});
  }
};

TEST_F(CorsTest, Is_off_unless_origins_are_configured) {
  EXPECT_EQ(from_page("/meshes").status, 200);
  EXPECT_EQ(from_page("/meshes").header("Access-Control-Allow-Origin"), std::nullopt);
  const Answer answer = preflight("GET");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.header("Allow"), "PUT, DELETE, GET");
}

TEST_F(CorsTest, Serves_pages_of_other_origins_without_letting_them_read) {
  config.api_server.cors_allowed_domains = {kOrigin, ".*example.net"};
  for (const char* origin : {"http://gui.example.com", "https://gui.example.com:8443", "http://a.example.net", ""}) {
    const Answer answer = from_page("/meshes", origin);
    EXPECT_EQ(answer.status, 200) << origin;
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), std::nullopt) << origin;
  }
}

TEST_F(CorsTest, Lets_pages_of_a_configured_origin_read_answers_and_errors) {
  config.api_server.cors_allowed_domains = {kOrigin};
  for (const char* path : {"/meshes", "/meshes/none", "/nothing"}) {
    const Answer answer = from_page(path);
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), kOrigin) << path;
    EXPECT_EQ(answer.header("Access-Control-Expose-Headers"), "Access-Control-Allow-Origin") << path;
  }
  EXPECT_EQ(from_page("/meshes", "HTTPS://GUI.example.com").header("Access-Control-Allow-Origin"),
            "HTTPS://GUI.example.com");
}

TEST_F(CorsTest, Lets_any_page_read_when_told_so) {
  config.api_server.cors_allowed_domains = {".*"};
  EXPECT_EQ(from_page("/meshes", "http://anything").header("Access-Control-Allow-Origin"), "http://anything");
}

TEST_F(CorsTest, Answers_preflights_for_verbs_of_the_path) {
  config.api_server.cors_allowed_domains = {kOrigin};
  const Answer allowed = preflight("PUT");
  EXPECT_EQ(allowed.status, 200);
  EXPECT_EQ(allowed.body, "");
  EXPECT_EQ(allowed.header("Access-Control-Allow-Origin"), kOrigin);
  EXPECT_EQ(allowed.header("Access-Control-Allow-Methods"), "PUT,DELETE,GET");
  EXPECT_EQ(allowed.header("Access-Control-Allow-Headers"), "");
  for (const Answer& refused :
       {preflight("PATCH"), preflight("PUT", {{"access-control-request-headers", "content-type"}})}) {
    EXPECT_EQ(refused.status, 200);
    EXPECT_EQ(refused.header("Access-Control-Allow-Origin"), std::nullopt);
    EXPECT_EQ(refused.header("Access-Control-Allow-Methods"), std::nullopt);
  }
}

}  // namespace
}  // namespace kuma::api
