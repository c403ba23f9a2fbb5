#include "api/router.h"

#include <gtest/gtest.h>

namespace kuma::api {
namespace {

net::HttpResponse nothing(const Request&) { return {}; }

Router make_router(std::string_view base_path = {}) {
  Router router(base_path);
  for (const char* path : {"/", "/zones", "/zones/_overview", "/meshes/{mesh}/dataplanes/{name}",
                           "/meshes/{mesh}/dataplanes+insights", "/meshes/{mesh}/dataplanes/{name}/_overview"}) {
    router.add({.method = "GET", .path = path, .handler = nothing});
  }
  router.add({.method = "PUT", .path = "/zones/{name}", .handler = nothing});
  router.add({.method = "DELETE", .path = "/zones/{name}", .handler = nothing});
  router.add({.method = "POST", .path = "/tokens/user", .handler = nothing, .at_root = true});
  return router;
}

// The template found, or "none".
std::string found(const Router& router, std::string_view path) {
  const Router::Match match = router.find(path);
  return match.routes == nullptr ? "none" : match.routes->front()->path;
}

TEST(Router, Finds_nothing_for_unknown_relative_and_empty_paths) {
  const Router router = make_router();
  for (const char* path : {"", "zones", "/nothing", "/meshes", "/meshes/m/dataplanes", "/zones/a/b", "//",
                           "/meshes//dataplanes/d", "/meshes/m/dataplanes/d/x", "*"}) {
    EXPECT_EQ(found(router, path), "none") << path;
  }
}

TEST(Router, Finds_paths_with_and_without_a_slash_at_the_end) {
  const Router router = make_router();
  EXPECT_EQ(found(router, "/"), "/");
  EXPECT_EQ(found(router, "/zones"), "/zones");
  EXPECT_EQ(found(router, "/zones/"), "/zones");
  EXPECT_EQ(found(router, "/meshes/m/dataplanes/d/"), "/meshes/{mesh}/dataplanes/{name}");
}

TEST(Router, Gives_parameters_in_the_order_of_the_path) {
  const Router router = make_router();
  const Router::Match match = router.find("/meshes/m%2F1/dataplanes/d/_overview");
  ASSERT_NE(match.routes, nullptr);
  EXPECT_EQ(match.params, (std::vector<std::string_view>{"m%2F1", "d"}));
  EXPECT_EQ(match.routes->front()->params, (std::vector<std::string>{"mesh", "name"}));
}

TEST(Router, Prefers_a_name_to_a_parameter) {
  const Router router = make_router();
  EXPECT_EQ(found(router, "/zones/_overview"), "/zones/_overview");
  EXPECT_EQ(found(router, "/zones/_overviews"), "/zones/{name}");
}

TEST(Router, Names_the_verbs_of_a_path_in_the_order_in_which_they_were_added) {
  const Router router = make_router();
  const Router::Match match = router.find("/zones/a");
  EXPECT_EQ(Router::allowed_methods(*match.routes, ", "), "PUT, DELETE");
  EXPECT_NE(Router::find_method(*match.routes, "PUT"), nullptr);
  EXPECT_EQ(Router::find_method(*match.routes, "GET"), nullptr);
  EXPECT_EQ(Router::find_method(*match.routes, "put"), nullptr);
}

TEST(Router, Puts_all_below_a_base_path_but_what_stays_at_the_root) {
  for (const char* base : {"/kuma", "/kuma/", "kuma"}) {
    const Router router = make_router(base);
    EXPECT_EQ(found(router, "/zones"), "none") << base;
    EXPECT_EQ(found(router, "/kuma/zones"), "/kuma/zones") << base;
    EXPECT_EQ(found(router, "/kuma"), "/kuma/") << base;
    EXPECT_EQ(found(router, "/kuma/"), "/kuma/") << base;
    EXPECT_EQ(found(router, "/tokens/user"), "/tokens/user") << base;
    EXPECT_EQ(found(router, "/kuma/tokens/user"), "none") << base;
  }
}

TEST(Percent_decode, Refuses_escapes_that_are_not_well_formed) {
  for (const char* text : {"%", "%4", "a%4", "%zz", "%4g"}) {
    EXPECT_EQ(percent_decode(text, false), std::nullopt) << text;
  }
}

TEST(Percent_decode, Takes_a_plus_for_a_space_only_in_queries) {
  EXPECT_EQ(percent_decode("a+b%20%C3%A9%41", false),
            "a+b é"
            "A");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
}

TEST(Query, Leaves_out_pairs_that_are_not_well_formed) {
  const Query query("a=%zz&b;c=1&&=x&d=%41+1&e");
  EXPECT_FALSE(query.has("a"));
  EXPECT_FALSE(query.has("b;c"));
  EXPECT_EQ(query.get("d"), "A 1");
  EXPECT_TRUE(query.has("e"));
  EXPECT_EQ(query.get("e"), "");
  EXPECT_EQ(query.get("nothing"), "");
}

TEST(Query, Keeps_repeated_keys_and_encodes_them_by_key) {
  const Query query("tag=kuma.io/service:w&size=1&tag=a b&offset=7");
  EXPECT_EQ(query.all("tag"), (std::vector<std::string_view>{"kuma.io/service:w", "a b"}));
  EXPECT_EQ(query.encode_with("offset", "8"), "offset=8&size=1&tag=kuma.io%2Fservice%3Aw&tag=a+b");
  EXPECT_EQ(Query("").encode_with("offset", "1"), "offset=1");
}

}  // namespace
}  // namespace kuma::api
